package bert

import (
	"math"

	"github.com/hone-ml/hone/encode/text/internal/kernels"
	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// middleLayers returns the indices of the first middle layer and of the one after the last: half
// of the layers from the first third on, those 3 to 5 of 6, and 5 to 10 of 12.
func middleLayers(layers int) (from, to int) {
	return layers / 3, layers/3 + max(1, layers/2)
}

// contextLayers is how many layers are read for what a word is in its sentence, which those in
// the middle know best (Liu et al. 2019, "Linguistic Knowledge and Transferability of Contextual
// Representations").
func contextLayers(layers int) int { return (layers + 1) / 2 }

// forward runs the batch through the network and leaves the last layer in s.x.
func (s *scratch) forward() {
	s.embed()
	from, to := middleLayers(len(s.model.layers))
	if s.model.lastOnly {
		to = 0
	}
	for i := range s.model.layers {
		l := &s.model.layers[i]
		s.layer(l)
		s.addNorm(l.output.bias, l.norm2, i >= from && i < to)
	}
}

// forwardEarly runs the batch through the first half of the network and leaves that layer in s.x,
// normalised without gain and bias, so that every dimension is around zero and has the same
// weight.
func (s *scratch) forwardEarly() {
	s.embed()
	for i := range s.model.early {
		l := &s.model.early[i]
		norm := l.norm2
		if i == len(s.model.early)-1 {
			norm = s.model.middle
		}
		s.layer(l)
		s.addNorm(l.output.bias, norm, false)
	}
}

// layer runs the batch through a layer but for what ends it, see addNorm: what is to be added is
// in s.out.
func (s *scratch) layer(l *layer) {
	m := s.model
	rows, width := len(s.ids), m.Width
	s.multiplyAll(s.qkv, s.x, &l.qkv.matrix)
	for matrix := lowrank.Query; matrix <= lowrank.Value; matrix++ {
		s.addFactors(s.qkv[matrix*width:], 3*width, s.x, l.added, matrix)
	}
	for r := range rows {
		kernels.ScaleBias(s.qkv[r*3*width:][:3*width], m.ones, l.qkv.bias)
	}
	for t := range len(s.starts) - 1 {
		s.attend(s.starts[t], s.starts[t+1])
	}
	s.multiplyAll(s.out, s.attended, &l.attention.matrix)
	s.addFactors(s.out, width, s.attended, l.added, lowrank.AttentionOutput)
	s.addNorm(l.attention.bias, l.norm1, false)
	s.feedForwardLayer(l)
}

// feedForwardLayer writes what the feed-forward layer makes of s.x to s.out, a block of what is
// between its matrices at a time.
func (s *scratch) feedForwardLayer(l *layer) {
	m, width, added := s.model, s.model.Width, l.added
	if added != nil {
		s.multiplyAll(s.ranks, s.x, &added[lowrank.Intermediate].down)
	}
	for at := 0; at < m.Inner; at += blockDepth {
		n := min(blockDepth, m.Inner-at)
		for in := 0; in < width; in += blockDepth {
			s.multiply(s.feedForward, blockDepth, s.x[in:], width, &l.inner.matrix, in, at, at+n, in > 0)
		}
		if added != nil {
			s.multiply(s.feedForward, blockDepth, s.ranks, kernels.TileOut, &added[lowrank.Intermediate].up, 0, at, at+n, true)
		}
		for r := range s.ids {
			m.activate.run(s.feedForward[r*blockDepth:][:n], m.ones, l.inner.bias[at:])
		}
		s.multiply(s.out, width, s.feedForward, blockDepth, &l.output.matrix, at, 0, width, at > 0)
		if added != nil {
			s.multiply(s.inners, kernels.TileOut, s.feedForward, blockDepth, &added[lowrank.Output].down, at, 0, kernels.TileOut, at > 0)
		}
	}
	if added != nil {
		s.multiply(s.out, width, s.inners, kernels.TileOut, &added[lowrank.Output].up, 0, 0, width, true)
	}
}

// embed writes the input of the first layer to s.x.
func (s *scratch) embed() {
	m := s.model
	for t := range len(s.starts) - 1 {
		for r := s.starts[t]; r < s.starts[t+1]; r++ {
			first := int(s.ids[r]) * m.Width
			x, position := s.x[r*m.Width:][:m.Width], m.positions[(r-s.starts[t])*m.Width:][:m.Width]
			for i := range x {
				v, _ := m.rows.Number(first + i) // they were all read before
				x[i] = float32(v) + position[i]
			}
			kernels.NormRow(x, m.norm.weight, m.norm.bias, m.epsilon)
		}
	}
}

// addNorm adds s.out and a bias to s.x and normalises the sum. Of a middle layer it keeps what
// that is without gain and bias.
func (s *scratch) addNorm(bias []float32, n layerNorm, middle bool) {
	m := s.model
	for t := range len(s.starts) - 1 {
		clear(s.total)
		for r := s.starts[t]; r < s.starts[t+1]; r++ {
			x := s.x[r*m.Width:][:m.Width]
			kernels.AddScaled(x, s.out[r*m.Width:][:m.Width], m.ones, bias)
			if middle {
				copy(s.row, x)
				kernels.NormRow(s.row, m.middle.weight, m.middle.bias, m.epsilon)
				accumulate(s.total, s.row)
			}
			kernels.NormRow(x, n.weight, n.bias, m.epsilon)
		}
		if middle {
			addDirection(s.middle[t], s.total)
		}
	}
}

// multiplyAll writes the product of all rows with a matrix to c.
func (s *scratch) multiplyAll(c, a []float32, m *matrix) {
	for in := 0; in < m.in; in += blockDepth {
		s.multiply(c, m.out, a[in:], m.in, m, in, 0, m.out, in > 0)
	}
}

// multiply writes the product of the rows of a with a block of a matrix's inputs, from in on, to
// c, or adds it. The first column of c is that of output from, the one behind the last that of to.
func (s *scratch) multiply(c []float32, ldc int, a []float32, lda int, m *matrix, in, from, to int, add bool) {
	rows := len(s.ids)
	for out := from; out < to; out += kernels.TileOut {
		tile, depth := m.tile(in, out)
		for r := 0; r < rows; {
			n := kernels.RowsPerBlock(rows - r)
			kernels.Gemm(n, depth, a[r*lda:], lda, tile, kernels.TileOut, c[r*ldc+out-from:], ldc, add)
			r += n
		}
	}
}

// maskedScore is the score of a masked position.
const maskedScore = -1e30

// attend computes attention among the tokens of one text, the rows from up to to.
func (s *scratch) attend(from, to int) {
	m := s.model
	n, width, head := to-from, m.Width, m.Width/m.Heads
	padded := padLength(n)
	scale := float32(1 / math.Sqrt(float64(head)))
	for h := range m.Heads {
		q := s.qkv[from*3*width+h*head:]
		v := q[2*width:]
		s.keyTiles(q[width:], n, padded)
		for at := 0; at < padded; at += kernels.TileOut {
			for r := 0; r < n; {
				b := kernels.RowsPerBlock(n - r)
				kernels.Gemm(b, head, q[r*3*width:], 3*width, s.keys[at*head:], kernels.TileOut, s.scores[r*padded+at:], padded, false)
				r += b
			}
		}
		for r := range n {
			row := s.scores[r*padded:][:padded]
			for i := n; i < padded; i++ {
				row[i] = maskedScore
			}
			kernels.Softmax(row, scale)
		}
		// Rows beyond the last are written too: they are the next text's, which comes after
		// this one, or spare.
		for at := 0; at < head; at += kernels.TileOut {
			for r := 0; r < n; {
				b := kernels.RowsPerBlock(n - r)
				kernels.Gemm(b, n, s.scores[r*padded:], padded, v[at:], 3*width, s.attended[(from+r)*width+h*head+at:], width, false)
				r += b
			}
		}
	}
}

// keyTiles turns a head's keys into tiles.
func (s *scratch) keyTiles(k []float32, n, padded int) {
	width, head := s.model.Width, s.model.Width/s.model.Heads
	for t := range padded {
		column := s.keys[t/kernels.TileOut*kernels.TileOut*head+t%kernels.TileOut:]
		if t >= n {
			for i := range head {
				column[i*kernels.TileOut] = 0
			}
			continue
		}
		for i, v := range k[t*3*width:][:head] {
			column[i*kernels.TileOut] = v
		}
	}
}
