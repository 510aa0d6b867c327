package main

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
)

// labelled is a text with its label.
type labelled struct{ Text, Label string }

// set is a set of texts, or a variant of one.
type set struct {
	name            string
	f1              bool // macro-F1 is measured instead of accuracy
	texts           []labelled
	trained, tested int // how many texts are there to label, and to measure on, at most
}

// read reads JSON lines, gzipped or not.
func read(path string) (out []labelled, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was read
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	for d := json.NewDecoder(r); ; {
		var t labelled
		switch err := d.Decode(&t); {
		case errors.Is(err, io.EOF):
			return thinned(out), nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, t)
	}
}

// maxTexts is how many texts of a set are used: each has to be encoded.
const maxTexts = 4000

// thinned keeps every so many-th text, so that a file in the order of its labels keeps them all.
func thinned(texts []labelled) []labelled {
	if len(texts) <= maxTexts {
		return texts
	}
	out := make([]labelled, maxTexts)
	for i := range out {
		out[i] = texts[i*len(texts)/maxTexts]
	}
	return out
}

// labels returns the labels of a set, the most frequent first.
func (s set) labels() []string {
	n := map[string]int{}
	for _, t := range s.texts {
		n[t.Label]++
	}
	return slices.SortedFunc(maps.Keys(n), func(a, b string) int { return cmp.Or(n[b]-n[a], cmp.Compare(a, b)) })
}

// manyLabels is the number of labels from which a set is regrouped.
const manyLabels = 20

// variants returns the same texts asked about in other ways: labels without names, texts cut
// short, many labels regrouped at random into few, and classes that are balanced or nearly all
// one.
func (s set) variants() []set {
	out := []set{s.anonymous(), s.cut(5)}
	if len(s.labels()) >= manyLabels {
		for _, k := range []int{2, 3, 6} {
			out = append(out, s.regrouped(k))
		}
		return out
	}
	return append(out, s.balanced(), s.skewed(0.95))
}

// with returns a variant: each text as of says, left out where that is false.
func (s set) with(name string, of func(labelled) (labelled, bool)) set {
	out := s
	out.name, out.texts = s.name+" "+name, nil
	for _, t := range s.texts {
		if v, ok := of(t); ok {
			out.texts = append(out.texts, v)
		}
	}
	return out
}

func (s set) anonymous() set {
	names := map[string]string{}
	for i, l := range slices.Sorted(slices.Values(s.labels())) {
		names[l] = fmt.Sprintf("A%d", i+1)
	}
	return s.with("anonymous", func(t labelled) (labelled, bool) { return labelled{t.Text, names[t.Label]}, true })
}

func (s set) cut(words int) set {
	return s.with(fmt.Sprintf("%d words", words), func(t labelled) (labelled, bool) {
		f := strings.Fields(t.Text)
		return labelled{strings.Join(f[:min(words, len(f))], " "), t.Label}, len(f) > 0
	})
}

func (s set) regrouped(k int) set {
	groups := map[string]string{}
	rng := rand.New(rand.NewPCG(uint64(k), 1))
	for i, at := range rng.Perm(len(s.labels())) {
		groups[slices.Sorted(slices.Values(s.labels()))[at]] = fmt.Sprintf("group %d", i%k+1)
	}
	out := s.with(fmt.Sprintf("in %d", k), func(t labelled) (labelled, bool) { return labelled{t.Text, groups[t.Label]}, true })
	out.f1 = false
	return out
}

// balanced keeps as many texts of each label as the rarest has.
func (s set) balanced() set {
	labels := s.labels()
	n := map[string]int{}
	for _, t := range s.texts {
		n[t.Label]++
	}
	most, kept := n[labels[len(labels)-1]], map[string]int{}
	return s.with("balanced", func(t labelled) (labelled, bool) {
		kept[t.Label]++
		return t, kept[t.Label] <= most
	})
}

// skewed keeps of all but the most frequent label so few texts that it has that share.
func (s set) skewed(share float64) set {
	first, rest, frequent := s.labels()[0], 0.0, 0.0
	for _, t := range s.texts {
		if t.Label == first {
			frequent++
		} else {
			rest++
		}
	}
	keep := frequent * (1 - share) / share / rest
	seen, kept := 0.0, 0.0
	return s.with("95:5", func(t labelled) (labelled, bool) {
		if t.Label == first {
			return t, true
		}
		seen++
		if kept+1 > seen*keep {
			return t, false
		}
		kept++
		return t, true
	})
}
