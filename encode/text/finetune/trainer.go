package finetune

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// initialize draws the matrices A, of a variance that keeps their products as long as their
// inputs, and leaves B zero, so that the network begins as its base (Hu et al. 2021).
func (n *network) initialize(rng *rand.Rand) {
	for i := range n.parts {
		in, _ := n.MatrixSize(i % lowrank.MatrixCount)
		for j := range n.parts[i].a {
			n.parts[i].a[j] = float32(rng.NormFloat64() / math.Sqrt(float64(in)))
		}
	}
	n.refresh()
}

// trainer takes the steps. Its memory is for all of them.
type trainer struct {
	network  *network
	recipe   *Recipe
	yield    func()
	plan     [][]int
	states   [][]float32
	texts    []labelledText // one a state
	batch    *batch
	contrast *contrast
	adam     *adamW
	gradient []float32
	workers  *workerPool

	drawn      [][]float32 // states of a step
	drawnTexts []labelledText
	forward    func(worker, group int)
	backward   func(worker, group int)
}

func newTrainer(n *network, states [][]float32, texts []labelledText, plan [][]int, r *Recipe, o *Options) *trainer {
	var limits batchLimits
	tokens := make([]int, 0, r.Batch)
	for _, step := range plan {
		tokens = tokens[:0]
		for _, i := range step {
			tokens = append(tokens, len(states[i])/n.Hidden)
		}
		limits.include(&n.shape, tokens)
	}
	t := &trainer{
		network: n, recipe: r, yield: o.Yield, plan: plan, states: states, texts: texts,
		batch: newBatch(&n.shape, limits), contrast: newContrast(limits.texts, n.vectorSize(), r.Temperature),
		adam: newAdamW(len(n.parameters), r.WeightDecay), gradient: make([]float32, len(n.parameters)),
		drawn: make([][]float32, 0, limits.texts), drawnTexts: make([]labelledText, 0, limits.texts),
	}
	scratch := make([]*groupScratch, max(1, min(o.Workers, limits.groups)))
	for i := range scratch {
		scratch[i] = newGroupScratch(&n.shape, limits)
		scratch[i].proceed = t.proceed
	}
	t.workers = newWorkerPool(len(scratch))
	t.forward = func(worker, group int) { n.forward(t.batch, &t.batch.groups[group], scratch[worker]) }
	t.backward = func(worker, group int) { n.backward(t.batch, &t.batch.groups[group], scratch[worker]) }
	return t
}

// proceed lets others go first and reports whether to go on. A pass asks it between its
// products.
func (t *trainer) proceed() bool {
	if t.yield != nil {
		t.yield()
	}
	return t.workers.ctx.Err() == nil
}

// step takes a step and returns the loss before it.
func (t *trainer) step(ctx context.Context, step int) (float64, error) {
	loss, err := t.lossGradient(ctx, t.plan[step])
	if err != nil {
		return 0, err
	}
	t.adam.update(t.network.parameters, t.gradient, learningRate(t.recipe.LearningRate, step, t.recipe.Steps))
	t.network.refresh()
	return loss, nil
}

// lossGradient returns the loss of some texts and leaves the parameters' gradient in
// t.gradient.
func (t *trainer) lossGradient(ctx context.Context, drawn []int) (float64, error) {
	n, b := t.network, t.batch
	t.drawn, t.drawnTexts = t.drawn[:0], t.drawnTexts[:0]
	for _, i := range drawn {
		t.drawn, t.drawnTexts = append(t.drawn, t.states[i]), append(t.drawnTexts, t.texts[i])
	}
	b.fill(&n.shape, t.drawn)
	if err := t.workers.runUnits(ctx, len(b.groups), t.forward); err != nil {
		return 0, err
	}
	n.pool(b)
	loss := t.contrast.loss(b.pooled.vectors, n.vectorSize(), t.drawnTexts)
	n.poolBack(b, t.contrast.gradient)
	if err := t.workers.runUnits(ctx, len(b.groups), t.backward); err != nil {
		return 0, err
	}
	clear(t.gradient)
	for i := range b.groups {
		for j, g := range b.groups[i].gradient {
			t.gradient[j] += g
		}
	}
	return loss, nil
}

// workerPool runs the units of a pass on several cores. It is for one goroutine.
type workerPool struct {
	begin []chan struct{} // of each worker but the first, which is the caller
	done  sync.WaitGroup
	next  atomic.Int64
	units int
	ctx   context.Context //nolint:containedctx // of the run that goes on
	work  func(worker, unit int)
}

func newWorkerPool(workers int) *workerPool {
	p := &workerPool{begin: make([]chan struct{}, workers-1)}
	for i := range p.begin {
		p.begin[i] = make(chan struct{})
		go func() {
			for range p.begin[i] {
				p.drain(i + 1)
				p.done.Done()
			}
		}()
	}
	return p
}

// runUnits calls work for each unit, until the context ends.
func (p *workerPool) runUnits(ctx context.Context, units int, work func(worker, unit int)) error {
	p.ctx, p.units, p.work = ctx, units, work
	p.next.Store(0)
	p.done.Add(len(p.begin))
	for _, c := range p.begin {
		c <- struct{}{}
	}
	p.drain(0)
	p.done.Wait()
	return ctx.Err()
}

func (p *workerPool) drain(worker int) {
	for p.ctx.Err() == nil {
		unit := int(p.next.Add(1)) - 1
		if unit >= p.units {
			return
		}
		p.work(worker, unit)
	}
}

func (p *workerPool) close() {
	for _, c := range p.begin {
		close(c)
	}
}
