package minilm

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// textWindow holds the word pieces of one window of a text. at is the index of the
// window's vector among all windows of the batch.
type textWindow struct {
	pieces []int32
	at     int
}

// EncodeBatch returns the vectors of texts, each as Encode returns it. It uses up to
// workers cores; a number below one means one. Several texts pass the weights together,
// which takes less time than one text after the other. The vectors share one piece of
// memory: copy those that are to outlive the others. The only error is the context's,
// which EncodeBatch checks every few milliseconds.
func (e *Encoder) EncodeBatch(ctx context.Context, texts []string, workers int) ([][]float32, error) {
	all, first, err := e.cutWindows(ctx, texts)
	if err != nil {
		return nil, err
	}
	memory := make([]float32, len(all)*textSize)
	groups := groupWindows(all)
	var next atomic.Int64
	work := func() {
		s := e.free.acquire()
		defer e.free.release(s)
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(groups) {
				return
			}
			s.reset()
			for _, p := range groups[i] {
				s.addText(p.pieces)
			}
			e.model.forward(s, e.model.layers[:])
			for j, p := range groups[i] {
				s.directions(memory[p.at*textSize:][:textSize], j)
			}
		}
	}
	var others sync.WaitGroup
	for range min(workers, len(groups)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	vectors := make([][]float32, len(texts))
	for i := range vectors {
		v := memory[first[i]*textSize:][:textSize:textSize]
		if count := first[i+1] - first[i]; count > 1 {
			var total textTotal
			for w := range count {
				total.include(memory[(first[i]+w)*textSize:])
			}
			total.normalize(v)
		}
		vectors[i] = v
	}
	return vectors, nil
}

// cutWindows cuts texts into windows. first[i] is the index of the first window of text
// i; one more element at the end is the number of windows.
func (e *Encoder) cutWindows(ctx context.Context, texts []string) ([]textWindow, []int, error) {
	s := e.free.acquire()
	defer e.free.release(s)
	all, first := make([]textWindow, 0, len(texts)), make([]int, 0, len(texts)+1)
	for _, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		first = append(first, len(all))
		s.pieces = e.tokens.Append(s.pieces[:0], text, e.maxPieces())
		pieces := slices.Clone(s.pieces)
		count := windowCount(len(pieces))
		for i := range count {
			from, to := windowBounds(len(pieces), count, i)
			all = append(all, textWindow{pieces[from:to], len(all)})
		}
	}
	return all, append(first, len(all)), nil
}

// groupWindows puts windows into groups of up to batchRows tokens, or of one window. The
// longest windows come first, so that all cores finish at about the same time.
func groupWindows(all []textWindow) [][]textWindow {
	slices.SortStableFunc(all, func(a, b textWindow) int { return cmp.Compare(len(b.pieces), len(a.pieces)) })
	var groups [][]textWindow
	for len(all) > 0 {
		n, rows := 1, len(all[0].pieces)+specialPieces
		for n < len(all) && rows+len(all[n].pieces)+specialPieces <= batchRows {
			rows += len(all[n].pieces) + specialPieces
			n++
		}
		groups = append(groups, all[:n])
		all = all[n:]
	}
	return groups
}
