package bert

import (
	"runtime"

	"github.com/hone-ml/hone/encode/text/internal/kernels"
)

// batchRows is how many tokens of several texts pass the weights together: enough that reading
// the weights costs little, few enough that the rows stay in the second-level cache.
const batchRows = 120

// scratch is the working memory of a batch. Each matrix has room for kernels.SpareRows rows more
// than there are tokens.
type scratch struct {
	model *model

	ids    []int32     // of the batch
	starts []int       // where each text begins in ids, and where the last ends
	middle [][]float64 // of each text, the sum over its middle layers
	total  []float64
	pooled []float64

	x           []float32 // Width columns: the input of the layer, and then its output
	qkv         []float32 // 3 * Width columns
	attended    []float32 // Width columns: the result of attention
	feedForward []float32 // blockDepth columns of the feed-forward layer
	out         []float32 // Width columns
	row         []float32

	ranks  []float32 // kernels.TileOut columns: what is between the factors of an adapter
	inners []float32 // the same of the feed-forward layer's results

	keys   []float32 // a head's keys as tiles
	scores []float32 // of a text's tokens with its tokens
}

// newScratch makes one for batches of so many tokens, and texts of up to longest.
func newScratch(m *model, rows, longest int) *scratch {
	r := rows + kernels.SpareRows
	padded := padLength(longest)
	return &scratch{
		model: m, ids: make([]int32, 0, rows), starts: make([]int, 1, 8),
		total: make([]float64, m.Width), pooled: make([]float64, m.Width),
		x: make([]float32, r*m.Width), qkv: make([]float32, r*3*m.Width), attended: make([]float32, r*m.Width),
		feedForward: make([]float32, r*blockDepth), out: make([]float32, r*m.Width), row: make([]float32, m.Width),
		ranks: make([]float32, r*kernels.TileOut), inners: make([]float32, r*kernels.TileOut),
		keys: make([]float32, padded*m.Width/m.Heads), scores: make([]float32, (longest+kernels.SpareRows)*padded),
	}
}

// padLength returns the next multiple of the columns of a product.
func padLength(n int) int { return (n + kernels.TileOut - 1) / kernels.TileOut * kernels.TileOut }

// reset begins a batch.
func (s *scratch) reset() { s.ids, s.starts, s.middle = s.ids[:0], s.starts[:1], s.middle[:0] }

// addText puts a window of a text into the batch. There must be room for it.
func (s *scratch) addText(before, pieces, after []int32) {
	s.ids = append(append(append(s.ids, before...), pieces...), after...)
	s.starts = append(s.starts, len(s.ids))
	s.middle = append(s.middle, make([]float64, s.model.Width))
}

// scratchPool keeps unused scratches, at most one for each core. Encoders that differ by their
// adapters share one.
type scratchPool struct {
	free chan *scratch
	make func() *scratch
}

func newScratchPool(m *model, length int) scratchPool {
	return scratchPool{
		free: make(chan *scratch, runtime.GOMAXPROCS(0)),
		make: func() *scratch { return newScratch(m, max(batchRows, length), length) },
	}
}

// acquire returns one for a model, to be released.
func (p *scratchPool) acquire(m *model) *scratch {
	select {
	case s := <-p.free:
		s.model = m
		return s
	default:
		s := p.make()
		s.model = m
		return s
	}
}

func (p *scratchPool) release(s *scratch) {
	s.model = nil // an adapter that is gone is not held
	select {
	case p.free <- s:
	default:
	}
}
