package finetune

import "github.com/hone-ml/hone/encode/text/internal/lowrank"

const (
	// groupRows and groupTexts are how many tokens and texts a group has at most, unless it
	// is of one text. They are the same on every machine: the order of sums follows them.
	groupRows  = 128
	groupTexts = 8
)

// layerActivations are what the backward pass needs of a layer, a row a token.
type layerActivations struct {
	x         []float32                      // hidden: the layer's input
	qkv       []float32                      // 3*hidden
	attended  []float32                      // hidden: the result of attention
	hat1      []float32                      // hidden: the first normalisation, without gain and bias
	inner     []float32                      // inner: before GELU
	hat2      []float32                      // hidden: the second normalisation, without gain and bias
	inverse1  []float32                      // 1: what the normalisations multiplied with
	inverse2  []float32                      // 1
	projected [lowrank.MatrixCount][]float32 // 16: a matrix's inputs times its A
	weights   []float32                      // of attention; textGroup.weightsAt tells where a text's are
}

// textGroup is a group of texts of a batch that pass the network together, on one core.
type textGroup struct {
	firstText, endText int
	firstRow, endRow   int
	gradient           []float32 // of the parameters
	parts              []lowRank // of gradient
}

// batch holds the texts of a step and what the passes leave.
type batch struct {
	starts    []int // the first row of each text, and where the last ends
	weightsAt []int // where each text's weights begin in layerActivations.weights
	groups    []textGroup
	layers    []layerActivations
	out       []float32 // hidden: the last layer's output, and then its gradient
	pooled    pooledTexts
}

// paddedLength is the length of a row of attention weights of a text.
func paddedLength(tokens int) int { return (tokens + tileOut - 1) / tileOut * tileOut }

// batchLimits says how large batches become.
type batchLimits struct{ texts, rows, weights, groups, groupRows, textRows int }

// include makes the limits large enough for texts of these numbers of tokens.
func (l *batchLimits) include(s *shape, tokens []int) {
	rows, weights, groups := 0, 0, 0
	for i := 0; i < len(tokens); groups++ {
		n := groupLength(len(tokens)-i, func(j int) int { return tokens[i+j] })
		inGroup := 0
		for _, t := range tokens[i : i+n] {
			inGroup += t
			weights += s.Heads * t * paddedLength(t)
			l.textRows = max(l.textRows, t)
		}
		l.groupRows = max(l.groupRows, inGroup)
		rows, i = rows+inGroup, i+n
	}
	l.texts, l.rows, l.weights, l.groups = max(l.texts, len(tokens)), max(l.rows, rows), max(l.weights, weights), max(l.groups, groups)
}

// groupLength returns how many of the next texts make a group. tokens tells how many tokens
// each has.
func groupLength(texts int, tokens func(int) int) int {
	n, rows := 1, tokens(0)
	for n < min(groupTexts, texts) && rows+tokens(n) <= groupRows {
		rows += tokens(n)
		n++
	}
	return n
}

func newBatch(s *shape, l batchLimits) *batch {
	b := &batch{
		starts: make([]int, 0, l.texts+1), weightsAt: make([]int, 0, l.texts+1),
		groups: make([]textGroup, l.groups), layers: make([]layerActivations, s.Layers),
		out: make([]float32, l.rows*s.Hidden), pooled: newPooledTexts(s, l.texts),
	}
	for i := range b.layers {
		a := &b.layers[i]
		a.x, a.qkv, a.attended = make([]float32, l.rows*s.Hidden), make([]float32, l.rows*3*s.Hidden), make([]float32, l.rows*s.Hidden)
		a.hat1, a.inner, a.hat2 = make([]float32, l.rows*s.Hidden), make([]float32, l.rows*s.Inner), make([]float32, l.rows*s.Hidden)
		a.inverse1, a.inverse2 = make([]float32, l.rows), make([]float32, l.rows)
		for m := range a.projected {
			a.projected[m] = make([]float32, l.rows*tileOut)
		}
		a.weights = make([]float32, l.weights)
	}
	for i := range b.groups {
		g := &b.groups[i]
		g.gradient = make([]float32, s.AdapterSize(s.rank))
		g.parts = splitParameters(s, g.gradient)
	}
	b.groups = b.groups[:0]
	return b
}

// fill puts texts, given by the states of their tokens, into the batch.
func (b *batch) fill(s *shape, states [][]float32) {
	b.starts, b.weightsAt, b.groups = append(b.starts[:0], 0), append(b.weightsAt[:0], 0), b.groups[:0]
	for i, state := range states {
		tokens := len(state) / s.Hidden
		b.starts = append(b.starts, b.starts[i]+tokens)
		b.weightsAt = append(b.weightsAt, b.weightsAt[i]+s.Heads*tokens*paddedLength(tokens))
		copy(b.layers[0].x[b.starts[i]*s.Hidden:], state)
	}
	for first := 0; first < len(states); {
		end := first + groupLength(len(states)-first, func(i int) int { return b.starts[first+i+1] - b.starts[first+i] })
		b.groups = b.groups[:len(b.groups)+1] // its gradient is kept
		g := &b.groups[len(b.groups)-1]
		g.firstText, g.endText, g.firstRow, g.endRow = first, end, b.starts[first], b.starts[end]
		first = end
	}
}

// groupScratch is the working memory of a core for one group.
type groupScratch struct {
	proceed     func() bool // see trainer.proceed
	wide, wide2 []float32   // rows by inner
	dqkv        []float32   // rows by 3*hidden
	one, two    []float32   // rows by hidden
	ranks       []float32   // rows by 16
	turned      []float32   // 16 by rows
	turned2     []float32   // head size by padded tokens: keys or values as columns
	scores      []float32   // tokens by padded tokens
	columns     []float32   // padded tokens by tokens
}

func newGroupScratch(s *shape, l batchLimits) *groupScratch {
	rows, padded := l.groupRows, paddedLength(l.textRows)
	return &groupScratch{
		wide: make([]float32, rows*s.Inner), wide2: make([]float32, rows*s.Inner), dqkv: make([]float32, rows*3*s.Hidden),
		one: make([]float32, rows*s.Hidden), two: make([]float32, rows*s.Hidden),
		ranks: make([]float32, rows*tileOut), turned: make([]float32, tileOut*rows),
		turned2: make([]float32, s.headSize()*padded), scores: make([]float32, l.textRows*padded), columns: make([]float32, padded*l.textRows),
	}
}
