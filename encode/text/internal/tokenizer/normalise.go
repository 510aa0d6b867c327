package tokenizer

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxDepth bounds sequences within sequences.
const maxDepth = 8

var errTooDeep = errors.New("sequences are nested too deep")

// searchPattern is the text or regular expression that Replace and Split search for.
type searchPattern struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

func (t *Tokenizer) addNormalizer(p *component, depth int) error {
	add := func(f func(string) string) { t.normalise = append(t.normalise, f) }
	switch p.Type {
	case "Sequence":
		var s struct {
			All []component `json:"normalizers"`
		}
		if err := p.decode(&s); err != nil {
			return err
		}
		if depth >= maxDepth {
			return errTooDeep
		}
		for i := range s.All {
			if err := t.addNormalizer(&s.All[i], depth+1); err != nil {
				return err
			}
		}
	case "BertNormalizer":
		b, err := readBert(p)
		if err != nil {
			return err
		}
		add(b.normalise)
	case "Lowercase":
		add(lowerByRune)
	case "NFC":
		add(norm.NFC.String)
	case "NFD":
		add(norm.NFD.String)
	case "NFKC":
		add(norm.NFKC.String)
	case "NFKD":
		add(norm.NFKD.String)
	case "StripAccents":
		add(dropMarks)
	case "Strip":
		var s struct {
			Left  bool `json:"strip_left"`
			Right bool `json:"strip_right"`
		}
		if err := p.decode(&s); err != nil {
			return err
		}
		if s.Left {
			add(func(x string) string { return strings.TrimLeftFunc(x, unicode.IsSpace) })
		}
		if s.Right {
			add(func(x string) string { return strings.TrimRightFunc(x, unicode.IsSpace) })
		}
	case "Prepend":
		var s struct {
			Text string `json:"prepend"`
		}
		if err := p.decode(&s); err != nil {
			return err
		}
		add(func(x string) string {
			if x == "" {
				return x
			}
			return s.Text + x
		})
	case "Replace":
		f, err := newReplacer(p)
		if err != nil {
			return err
		}
		add(f)
	case "Precompiled":
		f, err := newCharsmap(p)
		if err != nil {
			return err
		}
		add(f)
	default:
		return fmt.Errorf("the type %q is not supported", p.Type)
	}
	return nil
}

func newReplacer(p *component) (func(string) string, error) {
	var s struct {
		Pattern searchPattern `json:"pattern"`
		Content string        `json:"content"`
	}
	if err := p.decode(&s); err != nil {
		return nil, err
	}
	switch {
	case s.Pattern.String != nil && *s.Pattern.String != "":
		return func(x string) string { return strings.ReplaceAll(x, *s.Pattern.String, s.Content) }, nil
	case s.Pattern.Regex != nil:
		re, err := regexp.Compile(unicodeClasses.Replace(*s.Pattern.Regex))
		if err != nil {
			return nil, fmt.Errorf("the pattern %q is not supported: %w", *s.Pattern.Regex, err)
		}
		return func(x string) string { return re.ReplaceAllLiteralString(x, s.Content) }, nil
	}
	return nil, errors.New("a Replace has no pattern")
}

// unicodeClasses replaces classes of characters in the reference's patterns, which are
// Unicode there, by Unicode classes of Go's regular expressions.
var unicodeClasses = strings.NewReplacer(`\\`, `\\`, `\s`, `[\s\v\x{85}\p{Z}]`, `\d`, `\p{Nd}`)

// bertNormalizer holds the settings of BERT's normaliser, cased or uncased.
type bertNormalizer struct {
	Clean   bool  `json:"clean_text"`
	Chinese bool  `json:"handle_chinese_chars"`
	Strip   *bool `json:"strip_accents"`
	Lower   bool  `json:"lowercase"`
}

func readBert(p *component) (*bertNormalizer, error) {
	b := &bertNormalizer{Clean: true, Chinese: true, Lower: true}
	if err := p.decode(b); err != nil {
		return nil, err
	}
	if b.Strip == nil {
		b.Strip = &b.Lower
	}
	return b, nil
}

// isUncasedBert reports whether normaliser, splitter and model together are BERT's uncased
// tokenizer, which package wordpiece implements.
func isUncasedBert(n, split *component, m *pieceModel) bool {
	if n == nil || split == nil || n.Type != "BertNormalizer" || split.Type != "BertPreTokenizer" || m.wholeWords {
		return false
	}
	b, err := readBert(n)
	_, unknown := m.ids["[UNK]"]
	return err == nil && b.Clean && b.Chinese && b.Lower && *b.Strip && unknown && m.unknown == m.ids["[UNK]"] && m.continuationPrefix == "##" && m.longest == 100
}

func (b *bertNormalizer) normalise(text string) string {
	if b.Clean {
		text = strings.Map(func(r rune) rune {
			switch {
			case r == 0 || r == utf8.RuneError || unicode.In(r, unicode.C) && r != '\t' && r != '\n' && r != '\r':
				return -1
			case unicode.IsSpace(r):
				return ' '
			}
			return r
		}, text)
	}
	if b.Chinese {
		var out strings.Builder
		for _, r := range text {
			if isIdeograph(r) {
				out.WriteByte(' ')
				out.WriteRune(r)
				out.WriteByte(' ')
				continue
			}
			out.WriteRune(r)
		}
		text = out.String()
	}
	if *b.Strip {
		text = dropMarks(norm.NFD.String(text))
	}
	if b.Lower {
		text = lowerByRune(text)
	}
	return text
}

// isIdeograph reports whether BERT takes a character for a Chinese one.
func isIdeograph(r rune) bool {
	return r >= 0x4e00 && r <= 0x9fff || r >= 0x3400 && r <= 0x4dbf || r >= 0x20000 && r <= 0x2a6df ||
		r >= 0x2a700 && r <= 0x2b73f || r >= 0x2b740 && r <= 0x2b81f || r >= 0x2b920 && r <= 0x2ceaf ||
		r >= 0xf900 && r <= 0xfaff || r >= 0x2f800 && r <= 0x2fa1f
}

func dropMarks(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, text)
}

// lowerByRune lower-cases each character by itself, as the reference does. One character
// becomes two.
func lowerByRune(text string) string {
	return strings.ReplaceAll(strings.Map(func(r rune) rune {
		if r == 'İ' {
			return r
		}
		return unicode.ToLower(r)
	}, text), "İ", "i̇")
}
