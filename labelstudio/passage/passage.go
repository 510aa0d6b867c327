// Package passage holds a text as annotators mark it: what of it is one piece, and how
// Label Studio counts the places in it. It knows neither label configs nor results.
package passage

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Passage is an object's text as spans are marked in it. It is immutable.
type Passage struct {
	// Object is the object tag's name.
	Object string
	// Text is all there is to mark: the text itself; the text nodes of a
	// page one after the other, white space included, and a line break for each
	// <br>; the paragraphs, one a line.
	Text string
	// Parts are the stretches of Text, from and to in bytes, that people read as
	// one: no word goes over from one to the next. They rise.
	Parts [][2]int

	kind  kind
	nodes []node
}

// kind is how the places in a passage are counted.
type kind byte

const (
	plainText kind = iota // in code points
	hyperText             // in UTF-16 code units within a text node, and in code points over all
	dialogue              // in UTF-16 code units within a paragraph
)

// node is what positions are counted in: a text node or a paragraph.
type node struct {
	path       string // xpath, or the paragraph's index; empty for Text
	start, end int    // in bytes of Passage.Text
}

// FromText is a text that is marked as it is.
func FromText(object, text string) Passage {
	p := Passage{Object: object}
	p.extend("", 0, len(text), true)
	p.Text = text
	return p
}

// FromHTML is a page as Label Studio shows it.
func FromHTML(object, page string) Passage {
	p := Passage{Object: object, kind: hyperText}
	p.html(page)
	return p
}

// FromParagraphs are paragraphs, each of which is marked by itself.
func FromParagraphs(object string, paragraphs []string) Passage {
	p := Passage{Object: object, kind: dialogue}
	var b strings.Builder
	for i, said := range paragraphs {
		if !utf8.ValidString(said) {
			said = strings.ToValidUTF8(said, "\uFFFD")
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		from := b.Len()
		b.WriteString(said)
		p.extend(strconv.Itoa(i), from, b.Len(), true)
	}
	p.Text = b.String()
	return p
}

// extend makes from to to of the text a node.
func (p *Passage) extend(path string, from, to int, apart bool) {
	p.nodes = append(p.nodes, node{path, from, to})
	if last := len(p.Parts) - 1; !apart && last >= 0 && p.Parts[last][1] == from {
		p.Parts[last][1] = to
		return
	}
	p.Parts = append(p.Parts, [2]int{from, to})
}

// counter turns places in a text from bytes into code points and back. Asked in
// rising order it goes over the text once.
type counter struct {
	text        string
	byte, runes int
}

// at is the number of code points before a byte, which begins a code point.
func (c *counter) at(b int) int {
	if b < c.byte {
		c.byte, c.runes = 0, 0
	}
	c.runes += utf8.RuneCountInString(c.text[c.byte:b])
	c.byte = b
	return c.runes
}

// find is the byte that n code points come before; ok is false when there are
// fewer.
func (c *counter) find(n int) (b int, ok bool) {
	if n < c.runes {
		c.byte, c.runes = 0, 0
	}
	for c.runes < n && c.byte < len(c.text) {
		_, size := utf8.DecodeRuneInString(c.text[c.byte:])
		c.byte += size
		c.runes++
	}
	return c.byte, c.runes == n
}

// units is the length of a text in UTF-16 code units, which browsers count in.
func units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// afterUnits is the byte that n code units come before. One within a character
// means the place before it. ok is false when there are fewer.
func afterUnits(s string, n int) (b int, ok bool) {
	for i, r := range s {
		if n <= 0 {
			return i, n == 0
		}
		n--
		if r > 0xffff {
			if n == 0 {
				return i, true
			}
			n--
		}
	}
	return len(s), n == 0
}

var errPlace = errors.New("the span is not in the text")

// locate finds the byte of a position in the node of a path.
func (p *Passage) locate(path string, offset int) (int, error) {
	for _, n := range p.nodes {
		if n.path == path {
			b, ok := afterUnits(p.Text[n.start:n.end], offset)
			if !ok {
				return 0, errPlace
			}
			return n.start + b, nil
		}
	}
	return 0, errPlace
}

// first is the node in which a span that starts at b starts, last the one in
// which a span that ends at b ends: at a border they differ, and between two nodes
// too. There must be a node beyond b, or before it.
func (p *Passage) first(b int) node {
	for _, n := range p.nodes {
		if b < n.end {
			return n
		}
	}
	return p.nodes[len(p.nodes)-1]
}

func (p *Passage) last(b int) node {
	for _, n := range slices.Backward(p.nodes) {
		if b > n.start {
			return n
		}
	}
	return p.nodes[0]
}
