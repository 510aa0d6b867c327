package learner

import (
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/feature"
)

// late is a fast encoder's vectors with a slow one's as the last dense part, nil
// while it is not there. So it is a function of the text and of what has arrived,
// and in the end of the text alone.
type late struct {
	feature.Encoder
	vectors *vectors
}

func (e *late) Name() string { return e.Encoder.Name() + "+" + e.vectors.slow.Name() }

func (e *late) Encode(text string) feature.Vector {
	v, _ := e.encode(text)
	return v
}

// encode also says whether the slow part is all there. Texts in which the fast
// encoder sees nothing are never asked about: there is nothing to go by.
func (e *late) encode(text string) (feature.Vector, bool) {
	v := e.Encoder.Encode(text)
	if v.Empty() {
		return v, true
	}
	x, ok := e.vectors.get(keyOf(text))
	v.Dense = append(v.Dense[:len(v.Dense):len(v.Dense)], x)
	return v, ok
}

// Fast is the encoder without the slow part.
func (e *late) Fast() feature.Encoder { return e.Encoder }

// attempt encodes and remembers which texts have no slow part yet. It is for one
// goroutine.
type attempt struct {
	*late
	missing []event.TextKey
}

func (a *attempt) Encode(text string) feature.Vector {
	v, ok := a.encode(text)
	if !ok {
		a.missing = append(a.missing, keyOf(text))
	}
	return v
}

// gather only collects the texts that a question reads of a task.
type gather struct {
	*late
	texts []string
}

func (g *gather) Encode(text string) feature.Vector {
	v := g.Encoder.Encode(text)
	if !v.Empty() {
		g.texts = append(g.texts, text)
	}
	return v
}

// reads are the texts whose vectors the question needs of a task's data, without
// repetition.
func (q *question) reads(e *late, data []byte, texts map[event.TextKey]string) {
	g := gather{late: e}
	q.kind.encode(q, data, &g)
	for _, t := range g.texts {
		texts[keyOf(t)] = t
	}
}
