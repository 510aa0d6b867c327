// Package tokenizer splits texts into tokens as a tokenizer.json says, the file in which Hugging
// Face's tokenizers are saved: WordPiece, WordLevel and Unigram, with their normalisers and
// splitters.
package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hone-ml/hone/encode/text/wordpiece"
)

// Tokenizer does what a tokenizer.json describes, but for special tokens: their names have
// no special meaning within a text. It is immutable and safe for concurrent use.
type Tokenizer struct {
	size    int   // ids are below it
	unknown int32 // -1: none
	median  int   // of the tokens' lengths in characters

	uncased   *wordpiece.Tokenizer // BERT's, uncased: the whole of it
	normalise []func(string) string
	split     []func([]string) []string
	model     subwordModel

	before, after []int32 // the special tokens around a text
	aroundProblem error
}

// Size is the number of ids: each is below it.
func (t *Tokenizer) Size() int { return t.size }

// Unknown is the id that stands for what is in no token, -1 if there is none.
func (t *Tokenizer) Unknown() int32 { return t.unknown }

// MedianLength is the median of the tokens' lengths in characters.
func (t *Tokenizer) MedianLength() int { return t.median }

// subwordModel splits a word into ids.
type subwordModel interface {
	append(dst []int32, word string) []int32
}

type component struct {
	Type string `json:"type"`
	raw  json.RawMessage
}

func (p *component) UnmarshalJSON(b []byte) error {
	type plain component
	p.raw = slices.Clone(b)
	if string(b) == "null" {
		return nil
	}
	return json.Unmarshal(b, (*plain)(p))
}

func (p *component) decode(v any) error {
	if err := json.Unmarshal(p.raw, v); err != nil {
		return fmt.Errorf("%s: %w", p.Type, err)
	}
	return nil
}

type addedToken struct {
	ID      int    `json:"id"`
	Content string `json:"content"`
	Special bool   `json:"special"`
}

// Parse reads a tokenizer.json. The error names what of it is wrong or not supported.
func Parse(b []byte) (*Tokenizer, error) {
	var file struct {
		Normalizer   *component   `json:"normalizer"`
		PreTokenizer *component   `json:"pre_tokenizer"`
		Model        component    `json:"model"`
		Added        []addedToken `json:"added_tokens"`
		After        *component   `json:"post_processor"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, err
	}
	t := &Tokenizer{unknown: -1}
	var pieces map[string]int32
	var err error
	switch file.Model.Type {
	case "WordPiece", "WordLevel":
		pieces, err = t.addWordPiece(&file.Model)
	case "Unigram":
		pieces, err = t.addUnigram(&file.Model)
	default:
		err = fmt.Errorf("models of the type %q are not supported; WordPiece, WordLevel and Unigram are", file.Model.Type)
	}
	if err != nil {
		return nil, err
	}
	if err := t.countTokens(pieces, file.Added); err != nil {
		return nil, err
	}
	t.aroundProblem = t.readAround(file.After, pieces, file.Added)
	if w, ok := t.model.(*pieceModel); ok && isUncasedBert(file.Normalizer, file.PreTokenizer, w) {
		// The exact tokenizer wants ids without gaps, which those of BERT are.
		if list, dense := piecesInOrder(pieces); dense {
			if u, err := wordpiece.New(list); err == nil {
				t.uncased = u
				return t, nil
			}
		}
	}
	if file.Normalizer != nil {
		if err := t.addNormalizer(file.Normalizer, 0); err != nil {
			return nil, fmt.Errorf("normalizer: %w", err)
		}
	}
	if file.PreTokenizer != nil {
		if err := t.addSplit(file.PreTokenizer, 0); err != nil {
			return nil, fmt.Errorf("pre_tokenizer: %w", err)
		}
	}
	return t, nil
}

// countTokens sets the number of ids and the median length of the tokens.
func (t *Tokenizer) countTokens(pieces map[string]int32, extra []addedToken) error {
	if len(pieces) == 0 {
		return errors.New("its vocabulary is empty")
	}
	lengths := make([]int, 0, len(pieces)+len(extra))
	ids := make(map[int32]bool, len(pieces))
	for p, id := range pieces {
		if id < 0 || int(id) > 2*(len(pieces)+len(extra)) || ids[id] {
			return fmt.Errorf("token %q has the id %d, twice or far beyond the %d tokens", p, id, len(pieces))
		}
		ids[id] = true
		t.size = max(t.size, int(id)+1)
		lengths = append(lengths, utf8.RuneCountInString(p))
	}
	for _, a := range extra {
		if !a.Special {
			return fmt.Errorf("added tokens that are not special, such as %q, are not supported", a.Content)
		}
		if _, in := pieces[a.Content]; !in {
			if a.ID < 0 || a.ID > 2*(len(pieces)+len(extra)) {
				return fmt.Errorf("added token %q has the id %d", a.Content, a.ID)
			}
			t.size = max(t.size, a.ID+1)
			lengths = append(lengths, utf8.RuneCountInString(a.Content))
		}
	}
	slices.Sort(lengths)
	n := len(lengths)
	t.median = (lengths[(n-1)/2] + lengths[n/2]) / 2
	return nil
}

func piecesInOrder(pieces map[string]int32) ([]string, bool) {
	out := make([]string, len(pieces))
	for p, id := range pieces {
		if int(id) >= len(out) || p == "" {
			return nil, false
		}
		out[id] = p
	}
	return out, true
}

// HasSpans reports whether it knows where in a text its tokens stand, which BERT's uncased
// tokenizer does.
func (t *Tokenizer) HasSpans() bool { return t.uncased != nil }

// AppendSpans is Append that also appends each token's place in the text to spans, of a tokenizer
// that has spans.
func (t *Tokenizer) AppendSpans(dst []int32, spans []wordpiece.Span, text string, limit int) ([]int32, []wordpiece.Span) {
	return t.uncased.AppendSpans(dst, spans, text, limit)
}

// Append appends the ids of a text to dst, limit at most, without special tokens around them.
func (t *Tokenizer) Append(dst []int32, text string, limit int) []int32 {
	if t.uncased != nil {
		return t.uncased.Append(dst, text, limit)
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	for _, f := range t.normalise {
		text = f(text)
	}
	if text == "" {
		return dst
	}
	words := []string{text}
	for _, f := range t.split {
		words = f(words)
	}
	from := len(dst)
	for _, w := range words {
		if w == "" {
			continue
		}
		if dst = t.model.append(dst, w); len(dst)-from >= limit {
			return dst[:from+limit]
		}
	}
	return dst
}
