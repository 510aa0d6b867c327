package passage

import (
	"encoding/json"
	"strconv"

	"github.com/hone-ml/hone/internal/jsonscan"
)

// Locator turns the bytes of a passage into what Label Studio counts them in, and
// back. Asked in rising order it goes over the text once. It is not safe for
// concurrent use.
type Locator struct {
	passage *Passage
	points  counter
}

// Locator is one that begins at the beginning.
func (p *Passage) Locator() *Locator { return &Locator{passage: p, points: counter{text: p.Text}} }

// Find is where in the text the value of a region lies, in bytes, start before end. The
// error is about a value that lies in no such text.
func (l *Locator) Find(value json.RawMessage) (start, end int, err error) {
	p, at := l.passage, &l.points
	var v struct {
		Start         jsonscan.LooseString `json:"start"`
		End           jsonscan.LooseString `json:"end"`
		StartOffset   jsonscan.LooseString `json:"startOffset"`
		EndOffset     jsonscan.LooseString `json:"endOffset"`
		GlobalOffsets *struct {
			Start jsonscan.LooseString `json:"start"`
			End   jsonscan.LooseString `json:"end"`
		} `json:"globalOffsets"`
	}
	// Fields of a wrong type stay empty, and an empty number is refused.
	if json.Unmarshal(value, &v) != nil {
		return 0, 0, errPlace
	}
	points := func(a, b jsonscan.LooseString) error {
		from, err := whole(a)
		if err != nil {
			return err
		}
		to, err := whole(b)
		if err != nil {
			return err
		}
		var ok1, ok2 bool
		start, ok1 = at.find(from)
		end, ok2 = at.find(to)
		if !ok1 || !ok2 {
			return errPlace
		}
		return nil
	}
	units := func() error {
		from, err := whole(v.StartOffset)
		if err != nil {
			return err
		}
		to, err := whole(v.EndOffset)
		if err != nil {
			return err
		}
		if start, err = p.locate(fullPathOf(p.kind, string(v.Start)), from); err != nil {
			return err
		}
		end, err = p.locate(fullPathOf(p.kind, string(v.End)), to)
		return err
	}
	switch {
	case p.kind == hyperText && v.GlobalOffsets != nil && v.GlobalOffsets.Start != "" && v.GlobalOffsets.End != "":
		err = points(v.GlobalOffsets.Start, v.GlobalOffsets.End)
	case p.kind == hyperText || p.kind == dialogue:
		err = units()
	default:
		err = points(v.Start, v.End)
	}
	if err == nil && start >= end {
		err = errPlace
	}
	return start, end, err
}

func fullPathOf(k kind, path string) string {
	if k == hyperText {
		return fullPath(path)
	}
	return path
}

// Place says where bytes of the text lie: the fields that say it in a region's value,
// and the code points before each of them. ok is false for what Label Studio could not
// show: beyond the text, of no length, within a character, or between two nodes.
func (l *Locator) Place(start, end int) (value map[string]any, from, to int, ok bool) {
	p, at := l.passage, &l.points
	if !p.holds(start) || !p.holds(end) || start >= end {
		return nil, 0, 0, false
	}
	from = at.at(start)
	to = at.at(end)
	value = map[string]any{}
	if p.kind == hyperText || p.kind == dialogue {
		if len(p.nodes) == 0 {
			return nil, 0, 0, false
		}
		a, b := p.first(start), p.last(end)
		if a.start >= end || b.end <= start {
			return nil, 0, 0, false // between two nodes
		}
		value["start"], value["end"] = a.path, b.path
		value["startOffset"], value["endOffset"] = units(p.Text[a.start:max(a.start, start)]), units(p.Text[b.start:min(b.end, end)])
	}
	switch p.kind {
	case hyperText:
		value["globalOffsets"] = map[string]int{"start": from, "end": to}
	case dialogue:
	default:
		value["start"], value["end"] = from, to
	}
	return value, from, to, true
}

// whole reads a number of characters.
func whole(s jsonscan.LooseString) (int, error) {
	n, err := strconv.Atoi(string(s))
	if err != nil || n < 0 {
		return 0, errPlace
	}
	return n, nil
}

// holds reports whether b is a place in the text: not beyond it, nor within a
// character.
func (p *Passage) holds(b int) bool {
	return b >= 0 && b <= len(p.Text) && (b == len(p.Text) || p.Text[b]&0xC0 != 0x80)
}
