package tokenizer

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

func (t *Tokenizer) addSplit(p *component, depth int) error {
	each := func(f func(string) []string) {
		t.split = append(t.split, func(words []string) []string {
			out := make([]string, 0, len(words))
			for _, w := range words {
				out = append(out, f(w)...)
			}
			return out
		})
	}
	switch p.Type {
	case "Sequence":
		var s struct {
			All []component `json:"pretokenizers"`
		}
		if err := p.decode(&s); err != nil {
			return err
		}
		if depth >= maxDepth {
			return errTooDeep
		}
		for i := range s.All {
			if err := t.addSplit(&s.All[i], depth+1); err != nil {
				return err
			}
		}
	case "BertPreTokenizer":
		each(func(w string) (out []string) {
			for _, f := range strings.FieldsFunc(w, unicode.IsSpace) {
				out = append(out, isolateRunes(f, isPunctuation)...)
			}
			return out
		})
	case "WhitespaceSplit":
		each(func(w string) []string { return strings.FieldsFunc(w, unicode.IsSpace) })
	case "Whitespace":
		each(func(w string) []string { return wordsOrSigns.FindAllString(w, -1) })
	case "Punctuation":
		var s struct {
			Behavior string `json:"behavior"`
		}
		if err := p.decode(&s); err != nil {
			return err
		}
		if s.Behavior != "" && s.Behavior != "Isolated" {
			return fmt.Errorf("punctuation that is %s is not supported; Isolated is", s.Behavior)
		}
		each(func(w string) []string { return isolateRunes(w, isPunctuation) })
	case "Metaspace":
		return t.addMetaspace(p)
	default:
		return fmt.Errorf("the type %q is not supported", p.Type)
	}
	return nil
}

var wordsOrSigns = regexp.MustCompile(`[\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}]+|[^\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\s\v\x{85}\p{Z}]+`)

// isPunctuation reports whether BERT takes a character for punctuation: ASCII's signs, and
// what Unicode calls punctuation.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= '!' && r <= '/' || r >= ':' && r <= '@' || r >= '[' && r <= '`' || r >= '{' && r <= '~'
	}
	return unicode.IsPunct(r)
}

// isolateRunes makes each character for which so returns true a word of its own.
func isolateRunes(word string, so func(rune) bool) (out []string) {
	from := 0
	for at, r := range word {
		if !so(r) {
			continue
		}
		if at > from {
			out = append(out, word[from:at])
		}
		from = at + utf8.RuneLen(r)
		out = append(out, word[at:from])
	}
	if from < len(word) {
		out = append(out, word[from:])
	}
	return out
}

// addMetaspace marks where words begin.
func (t *Tokenizer) addMetaspace(p *component) error {
	s := struct {
		Mark   string  `json:"replacement"`
		Scheme *string `json:"prepend_scheme"`
		Prefix *bool   `json:"add_prefix_space"`
		Split  *bool   `json:"split"`
	}{Mark: "▁"}
	if err := p.decode(&s); err != nil {
		return err
	}
	scheme := "always"
	if s.Scheme != nil {
		scheme = *s.Scheme
	} else if s.Prefix != nil && !*s.Prefix {
		scheme = "never"
	}
	if scheme != "always" && scheme != "first" && scheme != "never" || utf8.RuneCountInString(s.Mark) != 1 {
		return fmt.Errorf("a Metaspace with the mark %q and prepend_scheme %q is not supported", s.Mark, scheme)
	}
	t.split = append(t.split, func(words []string) (out []string) {
		for i, w := range words {
			w = strings.ReplaceAll(w, " ", s.Mark)
			if (scheme == "always" || scheme == "first" && i == 0) && !strings.HasPrefix(w, s.Mark) {
				w = s.Mark + w
			}
			if s.Split != nil && !*s.Split {
				out = append(out, w)
				continue
			}
			for w != "" {
				_, first := utf8.DecodeRuneInString(w)
				end := strings.Index(w[first:], s.Mark)
				if end < 0 {
					end = len(w) - first
				}
				out = append(out, w[:first+end])
				w = w[first+end:]
			}
		}
		return out
	})
	return nil
}
