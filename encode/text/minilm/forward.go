package minilm

import "runtime"

const (
	// batchRows is how many tokens of several texts pass the weights together:
	// enough that spreading out the weights takes no time to speak of, few enough
	// that rows stay in the second cache.
	batchRows = 120
	// spare rows behind the last: products come in blocks of four and six rows.
	spare   = 5
	maxRows = max(batchRows, positions)
)

// scratch is the working memory of a batch. All of its matrices have maxRows and
// some spare rows.
type scratch struct {
	pieces []int32
	vector [width]float32
	total  [width]float64

	ids    []int32 // of the batch
	starts []int   // where each text begins in ids, and where the last ends

	x      []float32 // width columns: the layer's input, and at last its output
	qkv    []float32 // 3 * width
	mixed  []float32 // width: what attention gives
	within []float32 // width: a quarter of the inner layer
	out    []float32 // width

	input   ints // what meets the tiles: of x or mixed
	quarter ints // of within

	tile   []int16   // width by tileOut: what the rows pass
	keys   []float32 // a head's keys as tiles
	scores []float32 // of a text's tokens with its tokens
}

// ints are rows of width numbers in 16 bits each, as multiples of a unit.
type ints struct {
	rows  []int16
	units []float32
}

func newInts(rows int) ints { return ints{make([]int16, rows*width), make([]float32, rows)} }

func newScratch() *scratch {
	const rows = maxRows + spare
	return &scratch{
		pieces:  make([]int32, 0, MaxWindows*MaxPieces),
		ids:     make([]int32, 0, maxRows),
		starts:  append(make([]int, 0, maxRows/ends+2), 0),
		x:       make([]float32, rows*width),
		qkv:     make([]float32, rows*3*width),
		mixed:   make([]float32, rows*width),
		within:  make([]float32, rows*width),
		out:     make([]float32, rows*width),
		input:   newInts(rows),
		quarter: newInts(rows),
		tile:    make([]int16, tileSize),
		keys:    make([]float32, positions*headWidth),
		scores:  make([]float32, (positions+spare)*positions),
	}
}

// clear begins a batch.
func (s *scratch) clear() { s.ids, s.starts = s.ids[:0], s.starts[:1] }

// add puts a text into the batch. There must be room for it.
func (s *scratch) add(pieces []int32) {
	s.ids = append(s.ids, clsID)
	s.ids = append(s.ids, pieces...)
	s.ids = append(s.ids, sepID)
	s.starts = append(s.starts, len(s.ids))
}

// pool gives the direction of the mean of a text's tokens.
func (s *scratch) pool(dst []float32, text int) {
	var total [width]float64
	for row := s.starts[text]; row < s.starts[text+1]; row++ {
		accumulate(&total, s.x[row*width:])
	}
	normalize(dst, &total)
}

// pool keeps scratches that are not in use, one a core.
type pool struct{ free chan *scratch }

func newPool() *pool { return &pool{make(chan *scratch, runtime.GOMAXPROCS(0))} }

func (p *pool) get() *scratch {
	select {
	case s := <-p.free:
		return s
	default:
		return newScratch()
	}
}

func (p *pool) put(s *scratch) {
	select {
	case p.free <- s:
	default:
	}
}

// forward takes the batch through layers of the model. Its result is in s.x.
func (m *model) forward(s *scratch, layers []layer) {
	rows := len(s.ids)
	m.embed(s)
	for i := range layers {
		l := &layers[i]
		x := s.quantize(&s.input, s.x)
		s.product(s.qkv, 3*width, x, l.qkv.tiles, false)
		for r := range rows {
			scaleBias(s.qkv[r*3*width:][:3*width], l.qkv.scale, l.qkv.bias)
		}
		for t := range len(s.starts) - 1 {
			s.attend(s.starts[t], s.starts[t+1])
		}
		s.product(s.out, width, s.quantize(&s.input, s.mixed), l.attention.tiles, false)
		s.addNorm(&l.attention, l.norm1)

		x = s.quantize(&s.input, s.x)
		tiles := l.inner.tiles
		for q := range inner / width {
			s.product(s.within, width, x, tiles[:widthTiles*tileSize], false)
			tiles = tiles[widthTiles*tileSize:]
			at := q * width
			for r := range rows {
				gelu(s.within[r*width:][:width], l.inner.scale[at:][:width], l.inner.bias[at:][:width], l.factor[at:][:width])
			}
			s.product(s.out, width, s.quantize(&s.quarter, s.within), tiles[:widthTiles*tileSize], q > 0)
			tiles = tiles[widthTiles*tileSize:]
		}
		s.addNorm(&l.output, l.norm2)
	}
}

// embed gives the first layer's input.
func (m *model) embed(s *scratch) {
	for t := range len(s.starts) - 1 {
		for r := s.starts[t]; r < s.starts[t+1]; r++ {
			id, at := int(s.ids[r]), r-s.starts[t]
			row, scale := m.rows[id*width:][:width], m.scales[id]
			x, position := s.x[r*width:][:width], m.position[at*width:][:width]
			for i, b := range row {
				x[i] = float32(float32(int8(b))*scale) + position[i]
			}
			normRow(x, m.norm.weight, m.norm.bias)
		}
	}
}

// addNorm adds what l makes of s.out to s.x, and normalises.
func (s *scratch) addNorm(l *linear, n norm) {
	for r := range len(s.ids) {
		x := s.x[r*width:][:width]
		addScaled(x, s.out[r*width:][:width], l.scale, l.bias)
		normRow(x, n.weight, n.bias)
	}
}

// quantize gives the rows of x, width columns, in dst.
func (s *scratch) quantize(dst *ints, x []float32) *ints {
	for r := range len(s.ids) {
		quantize(dst.rows[r*width:][:width], x[r*width:][:width], &dst.units[r])
	}
	return dst
}

// product gives the rows of c, of which column stride is the distance, as those of
// a times the tiles' numbers, without their scales; or adds to them.
func (s *scratch) product(c []float32, stride int, a *ints, tiles []byte, add bool) {
	rows := len(s.ids)
	for at := 0; len(tiles) > 0; at += tileOut {
		spread(s.tile, tiles[:tileSize])
		tiles = tiles[tileSize:]
		for r := 0; r < rows; {
			n := block(rows - r)
			product(n, width, a.rows[r*width:], width, s.tile, a.units[r:], c[r*stride+at:], stride, add)
			r += n
		}
	}
}

// block says how many of the rows that are left are multiplied together, 4 or 6,
// such that the fewest are beyond the end: one at most if there are more than two.
func block(left int) int {
	switch left {
	case 1, 2, 3, 4, 7, 8:
		return 4
	}
	return 6
}

// attend lets the tokens of one text, rows from up to to, attend to one another.
func (s *scratch) attend(from, to int) {
	n := to - from
	padded := (n + tileOut - 1) / tileOut * tileOut
	for h := range heads {
		q := s.qkv[from*3*width+h*headWidth:]
		v := q[2*width:]
		s.transpose(q[width:], n, padded)
		for at := 0; at < padded; at += tileOut {
			for r := 0; r < n; {
				b := block(n - r)
				gemm(b, headWidth, q[r*3*width:], 3*width, s.keys[at*headWidth:], tileOut, s.scores[r*padded+at:], padded, false)
				r += b
			}
		}
		for r := range n {
			row := s.scores[r*padded:][:padded]
			for i := n; i < padded; i++ {
				row[i] = outside
			}
			softmax(row, scoreScale)
		}
		// Rows beyond the last are written too: they are the next text's, which
		// comes after this one, or spare.
		for at := 0; at < headWidth; at += tileOut {
			for r := 0; r < n; {
				b := block(n - r)
				gemm(b, n, s.scores[r*padded:], padded, v[at:], 3*width, s.mixed[(from+r)*width+h*headWidth+at:], width, false)
				r += b
			}
		}
	}
}

const (
	outside    = -1e30              // the score of what is not there
	scoreScale = 0.1767766952966369 // 1/sqrt(headWidth)
)

// transpose turns a head's keys into tiles of headWidth by tileOut.
func (s *scratch) transpose(k []float32, n, padded int) {
	for t := range padded {
		column := s.keys[t/tileOut*tileOut*headWidth+t%tileOut:]
		if t >= n {
			for i := range headWidth {
				column[i*tileOut] = 0
			}
			continue
		}
		for i, v := range k[t*3*width:][:headWidth] {
			column[i*tileOut] = v
		}
	}
}
