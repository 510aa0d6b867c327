package span

import (
	"slices"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/passage"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/vector"
)

// Document is the text of a task in which spans are marked, cut into tokens. It is
// immutable.
type Document struct {
	passages []passage.Passage
	tokens   [][]token.Token // of each passage
	count    int             // of all tokens
}

// NewDocument reads the objects of a task's data. An object without a text is left out.
func NewDocument(objects []labelconfig.Object, data []byte) Document {
	var d Document
	for _, o := range objects {
		p, err := content.Passage(o, data)
		if err != nil {
			continue
		}
		var tokens []token.Token
		for _, part := range p.Parts {
			from := len(tokens)
			tokens = token.Segment(tokens, p.Text[part[0]:part[1]])
			for i := from; i < len(tokens); i++ {
				tokens[i].Start += part[0]
				tokens[i].End += part[0]
			}
		}
		tokens = tokens[:min(len(tokens), token.MaxTokens-d.count)]
		d.passages, d.tokens = append(d.passages, p), append(d.tokens, tokens)
		d.count += len(tokens)
	}
	return d
}

// Features returns a vector for each token, in Tokens.
func (d Document) Features(e encode.Encoder) vector.Vector {
	var v vector.Vector
	for i, p := range d.passages {
		v.Tokens = append(v.Tokens, encode.EncodeTokens(e, p.Text, d.tokens[i])...)
	}
	return v
}

// starts returns the first token of each passage. No span goes on from one passage to
// the next.
func (d Document) starts() []int {
	out := make([]int, len(d.tokens))
	at := 0
	for i, t := range d.tokens {
		out[i] = at
		at += len(t)
	}
	return out
}

// words returns the texts of the tokens from the one to before the other.
func (d Document) words(from, to int) []string {
	var out []string
	base := 0
	for i, tokens := range d.tokens {
		for j, t := range tokens {
			if base+j >= from && base+j < to {
				out = append(out, d.passages[i].Text[t.Start:t.End])
			}
		}
		base += len(tokens)
	}
	return out
}

// idOf returns the front of the ids of regions in a passage.
func (d Document) idOf(id string, passage int) string {
	if len(d.passages) > 1 {
		id = regions.ObjectID(id, d.passages[passage].Object)
	}
	return id
}

// tokensCovered returns the tokens that a span holds: those of which more than half, in
// bytes, is in it; if there are none the one with the most, if any. People mark parts of
// words, and then the word is what they meant.
func tokensCovered(tokens []token.Token, start, end int) (from, to int) {
	first, _ := slices.BinarySearchFunc(tokens, start, func(t token.Token, at int) int {
		if t.End <= at {
			return -1
		}
		return 1
	})
	most, best := 0, first
	from, to = -1, -1
	for i := first; i < len(tokens) && tokens[i].Start < end; i++ {
		t := tokens[i]
		held := min(t.End, end) - max(t.Start, start)
		if 2*held > t.End-t.Start {
			if from < 0 {
				from = i
			}
			to = i + 1
		}
		if held > most {
			most, best = held, i
		}
	}
	switch {
	case from >= 0:
		return from, to
	case most > 0:
		return best, best + 1
	}
	return first, first
}
