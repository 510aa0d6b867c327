package finetune

import (
	"math"

	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// lowRankBack writes the gradients of a matrix's parameters, from rows of the gradients of
// its outputs dy and its inputs x, and adds what they give to the gradients dx of its
// inputs, unless dx is nil.
func (n *network) lowRankBack(g *textGroup, layer, matrix, rows int, dy []float32, ldy int, x []float32, ldx int, projected, dx []float32, ldd int, s *groupScratch) {
	at := layer*lowrank.MatrixCount + matrix
	in, out := n.MatrixSize(matrix)
	matmul(rows, out, tileOut, dy, ldy, n.columns[at].b, tileOut, s.ranks, tileOut, false)
	transpose(s.turned, rows, projected, tileOut, rows, n.rank)
	matmul(n.rank, rows, out, s.turned, rows, dy, ldy, g.parts[at].b, out, false)
	transpose(s.turned, rows, s.ranks, tileOut, rows, n.rank)
	matmul(n.rank, rows, in, s.turned, rows, x, ldx, g.parts[at].a, in, false)
	if dx != nil {
		matmul(rows, n.rank, in, s.ranks, tileOut, n.parts[at].a, in, dx, ldd, true)
	}
}

// backward carries the gradient of the last layer's output, in b.out, back through the
// network and writes the gradients of the parameters to those of the group. It changes
// b.out. It may be told to stop.
func (n *network) backward(b *batch, g *textGroup, s *groupScratch) {
	rows, hidden, first := g.endRow-g.firstRow, n.Hidden, g.firstRow
	dx := b.out[first*hidden:][:rows*hidden]
	for i := len(n.layers) - 1; i >= 0; i-- {
		l, a := &n.layers[i], &b.layers[i]
		if !s.proceed() {
			return
		}
		projected := func(m int) []float32 { return a.projected[m][first*tileOut:] }
		normalizeRowsBack(rows, dx, a.hat2[first*hidden:], a.inverse2[first:], l.gain2)

		// The feed-forward layer. s.one becomes the gradient of its input.
		inner := a.inner[first*n.Inner:][:rows*n.Inner]
		l.outputBack.times(rows, dx, hidden, s.wide2, n.Inner, false)
		// The low rank part first: the activation's derivative is for the whole gradient.
		n.outputRankGradient(i, rows, dx, s)
		n.activation.backward(s.wide, s.wide2, inner)
		n.lowRankBack(g, i, lowrank.Output, rows, dx, hidden, s.wide, n.Inner, projected(lowrank.Output), nil, 0, s)
		if !s.proceed() {
			return
		}
		copy(s.one, dx)
		l.innerBack.times(rows, s.wide2, n.Inner, s.one, hidden, true)
		hat1 := a.hat1[first*hidden:][:rows*hidden]
		scaleRows(s.two, hat1, l.gain1, l.bias1)
		n.lowRankBack(g, i, lowrank.Intermediate, rows, s.wide2, n.Inner, s.two, hidden, projected(lowrank.Intermediate), s.one, hidden, s)
		if !s.proceed() {
			return
		}

		// Attention. s.two becomes the gradient of its result.
		normalizeRowsBack(rows, s.one, hat1, a.inverse1[first:], l.gain1)
		l.attentionBack.times(rows, s.one, hidden, s.two, hidden, false)
		n.lowRankBack(g, i, lowrank.AttentionOutput, rows, s.one, hidden, a.attended[first*hidden:], hidden, projected(lowrank.AttentionOutput), s.two, hidden, s)
		for t := g.firstText; t < g.endText; t++ {
			n.attendBack(b, a, g, t, s)
		}
		var below []float32 // nothing is trained below the first layer
		if i > 0 {
			copy(dx, s.one[:rows*hidden])
			l.qkvBack.times(rows, s.dqkv, 3*hidden, dx, hidden, true)
			below = dx
		}
		for m := lowrank.Query; m <= lowrank.Value; m++ {
			n.lowRankBack(g, i, m, rows, s.dqkv[m*hidden:], 3*hidden, a.x[first*hidden:], hidden, projected(m), below, hidden, s)
		}
	}
}

// outputRankGradient adds to s.wide2 what the parameters of a layer's Output matrix give to
// the gradients of its inputs.
func (n *network) outputRankGradient(layer, rows int, dy []float32, s *groupScratch) {
	at := layer*lowrank.MatrixCount + lowrank.Output
	matmul(rows, n.Hidden, tileOut, dy, n.Hidden, n.columns[at].b, tileOut, s.ranks, tileOut, false)
	matmul(rows, n.rank, n.Inner, s.ranks, tileOut, n.parts[at].a, n.Inner, s.wide2, n.Inner, true)
}

// scaleRows writes the rows of hat, each as long as gain, with gain and bias to out.
func scaleRows(out, hat, gain, bias []float32) {
	width := len(gain)
	for r := 0; r < len(hat); r += width {
		to := out[r:][:width]
		for i, h := range hat[r:][:width] {
			to[i] = h*gain[i] + bias[i]
		}
	}
}

// attendBack carries the gradient of a text's attention, in s.two, back to queries, keys
// and values, in s.dqkv.
func (n *network) attendBack(b *batch, a *layerActivations, g *textGroup, text int, s *groupScratch) {
	from, size, hidden := b.starts[text], n.headSize(), n.Hidden
	tokens, row := b.starts[text+1]-from, from-g.firstRow
	padded := paddedLength(tokens)
	scale := float32(1 / math.Sqrt(float64(size)))
	for h := range n.Heads {
		q := a.qkv[from*3*hidden+h*size:]
		k, v := q[hidden:], q[2*hidden:]
		dq := s.dqkv[row*3*hidden+h*size:]
		dk, dv := dq[hidden:], dq[2*hidden:]
		dout := s.two[row*hidden+h*size:]
		weights := a.weights[b.weightsAt[text]+h*tokens*padded:][:tokens*padded]

		transpose(s.columns, tokens, weights, padded, tokens, tokens)
		matmul(tokens, tokens, size, s.columns, tokens, dout, hidden, dv, 3*hidden, false)
		transpose(s.turned2, padded, v, 3*hidden, tokens, size)
		matmul(tokens, size, padded, dout, hidden, s.turned2, padded, s.scores, padded, false)
		for r := range tokens {
			softmaxBack(s.scores[r*padded:][:tokens], weights[r*padded:][:tokens], scale)
		}
		matmul(tokens, tokens, size, s.scores, padded, k, 3*hidden, dq, 3*hidden, false)
		transpose(s.columns, tokens, s.scores, padded, tokens, tokens)
		matmul(tokens, tokens, size, s.columns, tokens, q, 3*hidden, dk, 3*hidden, false)
	}
}

// softmaxBack replaces the gradient of a softmax of scale times a row by that of the row.
func softmaxBack(gradient, weights []float32, scale float32) {
	var along float32
	for i, w := range weights {
		along += w * gradient[i]
	}
	for i, w := range weights {
		gradient[i] = w * (gradient[i] - along) * scale
	}
}
