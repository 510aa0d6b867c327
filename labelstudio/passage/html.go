package passage

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxHTMLDepth bounds nesting, and with it the stack and the paths' length. What
// lies deeper is not read.
const maxHTMLDepth = 400

// html reads a page as a browser does: Label Studio shows it as a document, and
// positions are xpaths from its body. Scripts are taken out before it is shown;
// the text of style sheets counts for positions, but nobody reads it. A <br> counts
// one character and is part of no text node: seen in Label Studio 1.23's interface
// (../testdata/hypertext-marked.json).
func (p *Passage) html(s string) {
	root, err := html.Parse(strings.NewReader("<!DOCTYPE html>" + s))
	if err != nil { // only a reader's error, and a string has none
		return
	}
	body := find(root, atom.Body)
	if body == nil {
		return // a frameset
	}
	w := walker{p: p, apart: true}
	w.children(body, "", 0, false)
	p.Text = w.text.String()
}

func find(n *html.Node, a atom.Atom) *html.Node {
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && c.DataAtom == a {
			return c
		}
	}
	return nil
}

// walker goes over a page in document order.
type walker struct {
	p     *Passage
	text  strings.Builder
	apart bool // a block began or ended since the last text
}

func (w *walker) children(n *html.Node, path string, depth int, hidden bool) {
	if depth > maxHTMLDepth {
		return
	}
	seen := map[string]int{}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch c.Type {
		case html.TextNode:
			seen["text()"]++
			from := w.text.Len()
			text := c.Data
			if hidden {
				w.text.WriteString(text)
				w.p.nodes = append(w.p.nodes, node{step(path, "text()", seen), from, w.text.Len()})
				w.apart = true
				continue
			}
			w.text.WriteString(strings.ToValidUTF8(text, "\uFFFD"))
			w.p.extend(step(path, "text()", seen), from, w.text.Len(), w.apart)
			w.apart = false
		case html.ElementNode:
			if c.DataAtom == atom.Script {
				continue
			}
			if c.DataAtom == atom.Br {
				w.text.WriteByte('\n')
			}
			seen[c.Data]++
			block := blockTags[c.Data]
			w.apart = w.apart || block
			w.children(c, step(path, c.Data, seen), depth+1, hidden || c.DataAtom == atom.Style || c.DataAtom == atom.Template)
			w.apart = w.apart || block
		}
	}
}

func step(path, name string, seen map[string]int) string {
	return path + "/" + name + "[" + strconv.Itoa(seen[name]) + "]"
}

// fullPath writes [1] where a path leaves it out.
func fullPath(path string) string {
	steps := strings.Split(path, "/")
	for i, s := range steps {
		if s != "" && s != "." && !strings.HasSuffix(s, "]") {
			steps[i] = s + "[1]"
		}
	}
	return strings.TrimPrefix(strings.Join(steps, "/"), ".")
}
