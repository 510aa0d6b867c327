package model2vec

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hone-ml/hone/encode/text/wordpiece"
)

// tokenizer does what a tokenizer.json describes, but for special tokens: their names have
// no special meaning within a text.
type tokenizer struct {
	size    int   // ids are below it
	unknown int32 // -1: none
	median  int   // of the tokens' lengths in characters

	uncased   *wordpiece.Tokenizer // BERT's, uncased: the whole of it
	normalise []func(string) string
	split     []func([]string) []string
	model     subwordModel
}

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

func parseTokenizer(b []byte) (*tokenizer, error) {
	var file struct {
		Normalizer   *component   `json:"normalizer"`
		PreTokenizer *component   `json:"pre_tokenizer"`
		Model        component    `json:"model"`
		Added        []addedToken `json:"added_tokens"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, err
	}
	t := &tokenizer{unknown: -1}
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
func (t *tokenizer) countTokens(pieces map[string]int32, extra []addedToken) error {
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

// append appends the ids of a text, limit at most.
func (t *tokenizer) append(dst []int32, text string, limit int) []int32 {
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

// pieceModel is WordPiece or, without pieces, WordLevel.
type pieceModel struct {
	ids                map[string]int32
	unknown            int32
	continuationPrefix string
	longest            int // characters of a word
	wholeWords         bool
}

func (t *tokenizer) addWordPiece(p *component) (map[string]int32, error) {
	m := struct {
		Vocab     map[string]int32 `json:"vocab"`
		Unknown   string           `json:"unk_token"`
		Continued *string          `json:"continuing_subword_prefix"`
		Longest   *int             `json:"max_input_chars_per_word"`
	}{}
	if err := p.decode(&m); err != nil {
		return nil, err
	}
	w := &pieceModel{ids: m.Vocab, unknown: -1, continuationPrefix: "##", longest: wordpiece.MaxWord, wholeWords: p.Type == "WordLevel"}
	if m.Continued != nil {
		w.continuationPrefix = *m.Continued
	}
	if m.Longest != nil {
		w.longest = *m.Longest
	}
	if id, ok := m.Vocab[m.Unknown]; ok {
		w.unknown, t.unknown = id, id
	}
	t.model = w
	return m.Vocab, nil
}

func (m *pieceModel) append(dst []int32, word string) []int32 {
	if m.wholeWords {
		if id, ok := m.ids[word]; ok {
			return append(dst, id)
		}
		return m.appendUnknown(dst)
	}
	start := len(dst)
	if utf8.RuneCountInString(word) > m.longest {
		return m.appendUnknown(dst)
	}
	prefix := ""
	for word != "" {
		end := len(word)
		for ; end > 0; end-- {
			if end < len(word) && !utf8.RuneStart(word[end]) {
				continue
			}
			if id, ok := m.ids[prefix+word[:end]]; ok {
				dst = append(dst, id)
				break
			}
		}
		if end == 0 {
			return m.appendUnknown(dst[:start])
		}
		word, prefix = word[end:], m.continuationPrefix
	}
	return dst
}

func (m *pieceModel) appendUnknown(dst []int32) []int32 {
	if m.unknown < 0 {
		return dst
	}
	return append(dst, m.unknown)
}

// unigramModel finds the likeliest pieces of a word (Kudo 2018, "Subword
// regularization").
type unigramModel struct {
	ids          map[string]int32
	scores       []float64
	unknown      int32
	unknownScore float64 // the score of a character that is in no piece
	longest      int     // bytes of the longest piece
}

// unknownPenalty is how much lower than the lowest score the reference scores an unknown
// character.
const unknownPenalty = 10

func (t *tokenizer) addUnigram(p *component) (map[string]int32, error) {
	var m struct {
		Unknown *int32               `json:"unk_id"`
		Vocab   [][2]json.RawMessage `json:"vocab"`
		Bytes   bool                 `json:"byte_fallback"`
	}
	if err := p.decode(&m); err != nil {
		return nil, err
	}
	if m.Bytes {
		return nil, errors.New("byte_fallback is not supported")
	}
	u := &unigramModel{ids: make(map[string]int32, len(m.Vocab)), unknown: -1}
	for i, entry := range m.Vocab {
		var piece string
		var score float64
		if err := errors.Join(json.Unmarshal(entry[0], &piece), json.Unmarshal(entry[1], &score)); err != nil {
			return nil, fmt.Errorf("piece %d: %w", i, err)
		}
		if _, twice := u.ids[piece]; twice {
			return nil, fmt.Errorf("piece %q is there twice", piece)
		}
		u.ids[piece] = int32(i)
		u.scores = append(u.scores, score)
		u.unknownScore = min(u.unknownScore, score)
		u.longest = max(u.longest, len(piece))
	}
	u.unknownScore -= unknownPenalty
	if m.Unknown != nil && int(*m.Unknown) < len(u.scores) && *m.Unknown >= 0 {
		u.unknown, t.unknown = *m.Unknown, *m.Unknown
	}
	t.model = u
	return u.ids, nil
}

func (m *unigramModel) append(dst []int32, word string) []int32 {
	type node struct {
		score float64
		from  int
		id    int32
		set   bool
	}
	best := make([]node, len(word)+1)
	best[0].set = true
	for at := 0; at < len(word); {
		_, size := utf8.DecodeRuneInString(word[at:])
		reach := func(end int, id int32, score float64) {
			if s := best[at].score + score; !best[end].set || s > best[end].score {
				best[end] = node{s, at, id, true}
			}
		}
		single := false
		for end := at + size; end <= len(word) && end-at <= m.longest; end++ {
			if end < len(word) && !utf8.RuneStart(word[end]) {
				continue
			}
			if id, ok := m.ids[word[at:end]]; ok {
				reach(end, id, m.scores[id])
				single = single || end == at+size
			}
		}
		if !single {
			reach(at+size, -1, m.unknownScore)
		}
		at += size
	}
	start := len(dst)
	for at := len(word); at > 0; at = best[at].from {
		dst = append(dst, best[at].id)
	}
	slices.Reverse(dst[start:])
	// Unknown characters side by side are one token.
	out := dst[:start]
	last := int32(0)
	for _, id := range dst[start:] {
		if id < 0 && last < 0 && len(out) > start || id < 0 && m.unknown < 0 {
			last = id
			continue
		}
		last = id
		if id < 0 {
			id = m.unknown
		}
		out = append(out, id)
	}
	return out
}
