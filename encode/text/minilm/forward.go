package minilm

import (
	"math"
	"runtime"

	"github.com/hone-ml/hone/encode/text/internal/kernels"
)

const (
	// batchRows is how many tokens of several texts pass the weights together: enough
	// that unpacking the weights costs next to nothing, few enough that all rows stay in
	// the second-level cache.
	batchRows = 120
	spareRows = kernels.SpareRows
	maxRows   = max(batchRows, maxPositions)
)

// scratch is the working memory of a batch. Each matrix has maxRows + spareRows rows.
type scratch struct {
	pieces []int32
	vector [textSize]float32
	total  textTotal

	ids    []int32               // of the batch
	starts []int                 // where each text begins in ids, and where the last ends
	middle [][hiddenSize]float64 // of each text, the sum over its middle layers

	x           []float32 // hiddenSize columns: the input of the layer, and then its output
	qkv         []float32 // 3 * hiddenSize columns
	attended    []float32 // hiddenSize columns: the result of attention
	feedForward []float32 // hiddenSize columns: a quarter of the feed-forward layer
	out         []float32 // hiddenSize columns

	quantizedInput quantizedRows // x or attended, to be multiplied with tiles
	quantizedFF    quantizedRows // of feedForward

	tile   []int16   // hiddenSize by tileOut: what the rows pass
	keys   []float32 // a head's keys as tiles
	scores []float32 // of a text's tokens with its tokens
}

// quantizedRows holds rows of hiddenSize 16-bit numbers, each row with its unit.
type quantizedRows struct {
	rows  []int16
	units []float32
}

func newQuantizedRows(rows int) quantizedRows {
	return quantizedRows{make([]int16, rows*hiddenSize), make([]float32, rows)}
}

func newScratch() *scratch {
	const rows = maxRows + spareRows
	return &scratch{
		pieces:         make([]int32, 0, MaxWindows*MaxPieces),
		ids:            make([]int32, 0, maxRows),
		starts:         append(make([]int, 0, maxRows/specialPieces+2), 0),
		middle:         make([][hiddenSize]float64, 0, maxRows/specialPieces+1),
		x:              make([]float32, rows*hiddenSize),
		qkv:            make([]float32, rows*3*hiddenSize),
		attended:       make([]float32, rows*hiddenSize),
		feedForward:    make([]float32, rows*hiddenSize),
		out:            make([]float32, rows*hiddenSize),
		quantizedInput: newQuantizedRows(rows),
		quantizedFF:    newQuantizedRows(rows),
		tile:           make([]int16, tileSize),
		keys:           make([]float32, maxPositions*headSize),
		scores:         make([]float32, (maxPositions+spareRows)*maxPositions),
	}
}

// reset begins a batch.
func (s *scratch) reset() { s.ids, s.starts, s.middle = s.ids[:0], s.starts[:1], s.middle[:0] }

// addText puts a text into the batch. There must be room for it.
func (s *scratch) addText(pieces []int32) {
	s.ids = append(s.ids, clsID)
	s.ids = append(s.ids, pieces...)
	s.ids = append(s.ids, sepID)
	s.starts = append(s.starts, len(s.ids))
	s.middle = append(s.middle, [hiddenSize]float64{})
}

// sum writes the sum of a text's token vectors to total.
func (s *scratch) sum(total *[hiddenSize]float64, text int) {
	clear(total[:])
	for row := s.starts[text]; row < s.starts[text+1]; row++ {
		accumulate(total, s.x[row*hiddenSize:])
	}
}

// directions writes the vector of a text to dst: the normalised sum over its middle layers,
// unless dst has no room for that, and the normalised mean of its token vectors.
func (s *scratch) directions(dst []float32, text int) {
	last := dst[len(dst)-hiddenSize:]
	if len(dst) > hiddenSize {
		normalize(dst[:hiddenSize], &s.middle[text])
	}
	var total [hiddenSize]float64
	s.sum(&total, text)
	normalize(last, &total)
}

const (
	// firstMiddle and lastMiddle are the indices of the middle layers.
	firstMiddle = 2
	lastMiddle  = 4
)

// addMiddle adds what a middle layer says of each text: the mean of its token vectors, as they
// were before the gain and the bias of the layer's normalisation, at length 1. Without gain and
// bias every dimension is around zero and has the same weight, so that the direction that all
// texts share is left out. That needs no statistics of any texts. The middle layers know more
// of syntax than the last (Jawahar, Sagot & Seddah 2019, "What does BERT learn about the
// structure of language?").
func (s *scratch) addMiddle(n layerNorm) {
	var total [hiddenSize]float64
	for t := range s.middle {
		s.sum(&total, t)
		rows := float64(s.starts[t+1] - s.starts[t])
		squares := 0.0
		for i, v := range total {
			v = (v/rows - float64(n.bias[i])) / float64(n.weight[i])
			total[i] = v
			squares += float64(v * v) // the conversion forbids a fused, so differently rounded, addition
		}
		if !(squares > 0) {
			continue
		}
		scale := 1 / math.Sqrt(squares)
		for i, v := range total {
			s.middle[t][i] += float64(v * scale)
		}
	}
}

// scratchPool keeps unused scratches, at most one for each core. It is safe for
// concurrent use.
type scratchPool struct{ free chan *scratch }

func newScratchPool() *scratchPool { return &scratchPool{make(chan *scratch, runtime.GOMAXPROCS(0))} }

func (p *scratchPool) acquire() *scratch {
	select {
	case s := <-p.free:
		return s
	default:
		return newScratch()
	}
}

func (p *scratchPool) release(s *scratch) {
	select {
	case p.free <- s:
	default:
	}
}

// forward runs the batch through layers of the model and leaves the result in s.x.
func (m *model) forward(s *scratch, layers []layer) {
	rows := len(s.ids)
	m.embed(s)
	for i := range layers {
		l := &layers[i]
		x := s.quantize(&s.quantizedInput, s.x)
		s.product(s.qkv, 3*hiddenSize, x, l.qkv.tiles, false)
		for r := range rows {
			kernels.ScaleBias(s.qkv[r*3*hiddenSize:][:3*hiddenSize], l.qkv.scale, l.qkv.bias)
		}
		for t := range len(s.starts) - 1 {
			s.attend(s.starts[t], s.starts[t+1])
		}
		s.product(s.out, hiddenSize, s.quantize(&s.quantizedInput, s.attended), l.attention.tiles, false)
		s.addNorm(&l.attention, l.norm1)

		x = s.quantize(&s.quantizedInput, s.x)
		tiles := l.inner.tiles
		for q := range feedForwardSize / hiddenSize {
			s.product(s.feedForward, hiddenSize, x, tiles[:widthTiles*tileSize], false)
			tiles = tiles[widthTiles*tileSize:]
			at := q * hiddenSize
			for r := range rows {
				kernels.GELU(s.feedForward[r*hiddenSize:][:hiddenSize], l.inner.scale[at:][:hiddenSize], l.inner.bias[at:][:hiddenSize], l.factor[at:][:hiddenSize])
			}
			s.product(s.out, hiddenSize, s.quantize(&s.quantizedFF, s.feedForward), tiles[:widthTiles*tileSize], q > 0)
			tiles = tiles[widthTiles*tileSize:]
		}
		s.addNorm(&l.output, l.norm2)
		if len(layers) == layerCount && !m.lastOnly && i >= firstMiddle && i <= lastMiddle {
			s.addMiddle(l.norm2)
		}
	}
}

// embed writes the input of the first layer to s.x.
func (m *model) embed(s *scratch) {
	for t := range len(s.starts) - 1 {
		for r := s.starts[t]; r < s.starts[t+1]; r++ {
			id, at := int(s.ids[r]), r-s.starts[t]
			row, scale := m.rows[id*hiddenSize:][:hiddenSize], m.scales[id]
			x, position := s.x[r*hiddenSize:][:hiddenSize], m.position[at*hiddenSize:][:hiddenSize]
			for i, b := range row {
				x[i] = float32(float32(int8(b))*scale) + position[i]
			}
			kernels.NormRow(x, m.norm.weight, m.norm.bias, normEpsilon)
		}
	}
}

// addNorm scales s.out by l, adds it to s.x and normalises the sum.
func (s *scratch) addNorm(l *linear, n layerNorm) {
	for r := range len(s.ids) {
		x := s.x[r*hiddenSize:][:hiddenSize]
		kernels.AddScaled(x, s.out[r*hiddenSize:][:hiddenSize], l.scale, l.bias)
		kernels.NormRow(x, n.weight, n.bias, normEpsilon)
	}
}

// quantize writes the rows of x, hiddenSize columns, to dst and returns dst.
func (s *scratch) quantize(dst *quantizedRows, x []float32) *quantizedRows {
	for r := range len(s.ids) {
		kernels.Quantize(dst.rows[r*hiddenSize:][:hiddenSize], x[r*hiddenSize:][:hiddenSize], &dst.units[r])
	}
	return dst
}

// product multiplies the rows of a with the tiles, without the tiles' scales, and writes
// the result to c, whose rows are stride numbers apart. With add it adds to c instead.
func (s *scratch) product(c []float32, stride int, a *quantizedRows, tiles []byte, add bool) {
	rows := len(s.ids)
	for at := 0; len(tiles) > 0; at += tileOut {
		kernels.Spread(s.tile, tiles[:tileSize])
		tiles = tiles[tileSize:]
		for r := 0; r < rows; {
			n := kernels.RowsPerBlock(rows - r)
			kernels.Product(n, hiddenSize, a.rows[r*hiddenSize:], hiddenSize, s.tile, a.units[r:], c[r*stride+at:], stride, add)
			r += n
		}
	}
}

// attend computes attention among the tokens of one text, the rows from up to to.
func (s *scratch) attend(from, to int) {
	n := to - from
	padded := (n + tileOut - 1) / tileOut * tileOut
	for h := range headCount {
		q := s.qkv[from*3*hiddenSize+h*headSize:]
		v := q[2*hiddenSize:]
		s.keyTiles(q[hiddenSize:], n, padded)
		for at := 0; at < padded; at += tileOut {
			for r := 0; r < n; {
				b := kernels.RowsPerBlock(n - r)
				kernels.Gemm(b, headSize, q[r*3*hiddenSize:], 3*hiddenSize, s.keys[at*headSize:], tileOut, s.scores[r*padded+at:], padded, false)
				r += b
			}
		}
		for r := range n {
			row := s.scores[r*padded:][:padded]
			for i := n; i < padded; i++ {
				row[i] = maskedScore
			}
			kernels.Softmax(row, scoreScale)
		}
		// Rows beyond the last are written too: they are the next text's, which
		// comes after this one, or spare.
		for at := 0; at < headSize; at += tileOut {
			for r := 0; r < n; {
				b := kernels.RowsPerBlock(n - r)
				kernels.Gemm(b, n, s.scores[r*padded:], padded, v[at:], 3*hiddenSize, s.attended[(from+r)*hiddenSize+h*headSize+at:], hiddenSize, false)
				r += b
			}
		}
	}
}

const (
	maskedScore = -1e30              // the score of a masked position
	scoreScale  = 0.1767766952966369 // 1/sqrt(headSize)
)

// keyTiles turns a head's keys into tiles of headSize by tileOut.
func (s *scratch) keyTiles(k []float32, n, padded int) {
	for t := range padded {
		column := s.keys[t/tileOut*tileOut*headSize+t%tileOut:]
		if t >= n {
			for i := range headSize {
				column[i*tileOut] = 0
			}
			continue
		}
		for i, v := range k[t*3*hiddenSize:][:headSize] {
			column[i*tileOut] = v
		}
	}
}
