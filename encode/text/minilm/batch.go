package minilm

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// piecesOf is a window of a text, and where its vector goes.
type piecesOf struct {
	pieces []int32
	at     int
}

// EncodeBatch gives the vectors of texts, each as Encode gives it, on that many
// cores; fewer than one are one. Texts pass the weights together, several at a
// time, which takes less time than one after the other. The vectors share their
// memory: copy those that are to outlive the others. The only error is the
// context's, which is looked at every few milliseconds.
func (e *Encoder) EncodeBatch(ctx context.Context, texts []string, workers int) ([][]float32, error) {
	all, first, err := e.cut(ctx, texts)
	if err != nil {
		return nil, err
	}
	memory := make([]float32, len(all)*width)
	groups := group(all)
	var next atomic.Int64
	work := func() {
		s := e.free.get()
		defer e.free.put(s)
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= len(groups) {
				return
			}
			s.clear()
			for _, p := range groups[i] {
				s.add(p.pieces)
			}
			e.model.forward(s, e.model.layers[:])
			for j, p := range groups[i] {
				s.pool(memory[p.at*width:][:width], j)
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
		v := memory[first[i]*width:][:width:width]
		if count := first[i+1] - first[i]; count > 1 {
			var total [width]float64
			for w := range count {
				accumulate(&total, memory[(first[i]+w)*width:])
			}
			normalize(v, &total)
		}
		vectors[i] = v
	}
	return vectors, nil
}

// cut gives the windows of all texts, and each text's first, and behind them their
// number.
func (e *Encoder) cut(ctx context.Context, texts []string) ([]piecesOf, []int, error) {
	s := e.free.get()
	defer e.free.put(s)
	all, first := make([]piecesOf, 0, len(texts)), make([]int, 0, len(texts)+1)
	for _, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		first = append(first, len(all))
		s.pieces = e.tokens.Append(s.pieces[:0], text, e.limit())
		pieces := slices.Clone(s.pieces)
		count := windows(len(pieces))
		for i := range count {
			from, to := window(len(pieces), count, i)
			all = append(all, piecesOf{pieces[from:to], len(all)})
		}
	}
	return all, append(first, len(all)), nil
}

// group puts windows together, the longest first so that cores end at about the
// same time, up to batchRows tokens each or one window.
func group(all []piecesOf) [][]piecesOf {
	slices.SortStableFunc(all, func(a, b piecesOf) int { return cmp.Compare(len(b.pieces), len(a.pieces)) })
	var groups [][]piecesOf
	for len(all) > 0 {
		n, rows := 1, len(all[0].pieces)+ends
		for n < len(all) && rows+len(all[n].pieces)+ends <= batchRows {
			rows += len(all[n].pieces) + ends
			n++
		}
		groups = append(groups, all[:n])
		all = all[n:]
	}
	return groups
}
