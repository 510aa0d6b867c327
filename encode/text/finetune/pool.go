package finetune

import (
	"math"

	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// pooledTexts holds what becomes of the last layer: a vector a text, and what the way back needs.
type pooledTexts struct {
	vectors []float32 // texts by vectorSize, each of length 1
	scales  []float32 // what a text's vector was multiplied with for that
	// steps are the pooled vectors, and then what each step after the pooling makes of them.
	// lengths has what the steps that scale multiplied with.
	steps   [][]float64
	lengths [][]float64
	one     []float64 // the gradient of a text's vector, and of what it is made of
	other   []float64
}

// widths returns the lengths of the pooled vector and of what the steps after it make.
func (s *shape) widths() []int {
	all := []int{s.Hidden}
	for i, step := range s.After {
		width := all[i]
		if step.Weight != nil {
			width = len(step.Bias)
		}
		all = append(all, width)
	}
	return all
}

// vectorSize returns the length of a text's vector.
func (s *shape) vectorSize() int {
	size := s.Hidden
	for _, step := range s.After {
		if step.Weight != nil {
			size = len(step.Bias)
		}
	}
	return size
}

func newPooledTexts(s *shape, texts int) pooledTexts {
	p := pooledTexts{vectors: make([]float32, texts*s.vectorSize()), scales: make([]float32, texts)}
	most := 0
	for _, width := range s.widths() {
		p.steps, p.lengths = append(p.steps, make([]float64, texts*width)), append(p.lengths, make([]float64, texts))
		most = max(most, width)
	}
	p.one, p.other = make([]float64, most), make([]float64, most)
	return p
}

// of returns the vector of a text after a step, of which the first is the pooling.
func (p *pooledTexts) of(step, text int) []float64 {
	width := len(p.steps[step]) / len(p.scales)
	return p.steps[step][text*width:][:width]
}

// pool writes the vector of each text to b.pooled: its tokens' last layer, pooled, taken through
// the steps after the pooling, at length 1.
func (n *network) pool(b *batch) {
	p, size := &b.pooled, n.vectorSize()
	for t := range len(b.starts) - 1 {
		n.poolRows(p.of(0, t), b.out[b.starts[t]*n.Hidden:b.starts[t+1]*n.Hidden])
		for i := range n.After {
			p.lengths[i][t] = stepForward(&n.After[i], p.of(i+1, t), p.of(i, t))
		}
		v := p.vectors[t*size:][:size]
		var squares float64
		for i, x := range p.of(len(n.After), t) {
			v[i] = float32(x)
			squares += x * x
		}
		scale := float32(1 / math.Sqrt(squares))
		for i := range v {
			v[i] *= scale
		}
		p.scales[t] = scale
	}
}

// poolRows pools the rows of a text.
func (n *network) poolRows(pooled []float64, rows []float32) {
	divisor := n.poolDivisor(len(rows) / n.Hidden)
	for i := range pooled {
		sum := float64(rows[i])
		switch n.Pooling {
		case lowrank.PoolMax:
			sum = float64(rows[n.largest(rows, i)*n.Hidden+i])
		case lowrank.PoolMean, lowrank.PoolRootMean:
			for r := n.Hidden; r < len(rows); r += n.Hidden {
				sum += float64(rows[r+i])
			}
		}
		pooled[i] = sum / divisor
	}
}

// poolDivisor returns what the sum over so many tokens is divided by.
func (n *network) poolDivisor(tokens int) float64 {
	switch n.Pooling {
	case lowrank.PoolMean:
		return float64(tokens)
	case lowrank.PoolRootMean:
		return math.Sqrt(float64(tokens))
	}
	return 1
}

// largest returns the first row that has the largest number in a column.
func (n *network) largest(rows []float32, column int) int {
	best := 0
	for r := range len(rows) / n.Hidden {
		if rows[r*n.Hidden+column] > rows[best*n.Hidden+column] {
			best = r
		}
	}
	return best
}

// stepForward takes a vector through a step after the pooling. It returns what the vector was
// multiplied with, by a step that scales.
func stepForward(step *lowrank.Dense, out, in []float64) (scale float64) {
	if step.Weight == nil {
		var squares float64
		for _, x := range in {
			squares += x * x
		}
		scale = 1 / math.Sqrt(squares)
		for i, x := range in {
			out[i] = x * scale
		}
		return scale
	}
	for o := range out {
		sum := float64(step.Bias[o])
		for i, w := range step.Weight[o*len(in):][:len(in)] {
			sum += in[i] * float64(w)
		}
		if step.Tanh {
			sum = math.Tanh(sum)
		}
		out[o] = sum
	}
	return 0
}

// stepBack writes the gradient of a step's input to back, from that of its output, which it
// changes. scale is what stepForward returned.
func stepBack(step *lowrank.Dense, back, gradient, out []float64, scale float64) {
	if step.Weight == nil {
		var along float64
		for i, x := range out {
			along += x * gradient[i]
		}
		for i, x := range out {
			back[i] = (gradient[i] - x*along) * scale
		}
		return
	}
	clear(back)
	for o, x := range out {
		if step.Tanh {
			gradient[o] *= 1 - x*x
		}
		for i, w := range step.Weight[o*len(back):][:len(back)] {
			back[i] += gradient[o] * float64(w)
		}
	}
}

// poolBack writes the gradient of the tokens' last layer to b.out, from that of the texts'
// vectors.
func (n *network) poolBack(b *batch, gradient []float64) {
	p, size := &b.pooled, n.vectorSize()
	for t := range len(b.starts) - 1 {
		v, g := p.vectors[t*size:][:size], gradient[t*size:][:size]
		var along float64
		for i, x := range v {
			along += float64(x) * g[i]
		}
		share, divisor := float64(p.scales[t]), n.poolDivisor(b.starts[t+1]-b.starts[t])
		if len(n.After) == 0 { // one factor, so one rounding
			share, divisor = share/divisor, 1
		}
		d, other := p.one[:size], p.other
		for i, x := range v {
			d[i] = (g[i] - float64(x)*along) * share
		}
		for i := len(n.After) - 1; i >= 0; i-- {
			back := other[:len(p.of(i, t))]
			stepBack(&n.After[i], back, d, p.of(i+1, t), p.lengths[i][t])
			d, other = back, d[:cap(d)]
		}
		n.poolRowsBack(b.out[b.starts[t]*n.Hidden:b.starts[t+1]*n.Hidden], d, divisor)
	}
}

// poolRowsBack replaces the rows of a text by their gradients, from that of the pooled vector
// times a divisor.
func (n *network) poolRowsBack(rows []float32, gradient []float64, divisor float64) {
	for i, g := range gradient {
		d := float32(g / divisor)
		switch n.Pooling {
		case lowrank.PoolMean, lowrank.PoolRootMean:
			for r := i; r < len(rows); r += n.Hidden {
				rows[r] = d
			}
			continue
		}
		only := i // the one row that counts
		if n.Pooling == lowrank.PoolMax {
			only += n.largest(rows, i) * n.Hidden
		}
		for r := i; r < len(rows); r += n.Hidden {
			rows[r] = 0
		}
		rows[only] = d
	}
}
