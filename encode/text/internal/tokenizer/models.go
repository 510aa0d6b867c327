package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/hone-ml/hone/encode/text/wordpiece"
)

// pieceModel is WordPiece or, without pieces, WordLevel.
type pieceModel struct {
	ids                map[string]int32
	unknown            int32
	continuationPrefix string
	longest            int // characters of a word
	wholeWords         bool
}

func (t *Tokenizer) addWordPiece(p *component) (map[string]int32, error) {
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

func (t *Tokenizer) addUnigram(p *component) (map[string]int32, error) {
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
