// Package finetune adapts the last layers of a sentence transformer to labelled texts by
// supervised contrast (Khosla et al. 2020, "Supervised Contrastive Learning"; Tunstall et
// al. 2022, "Efficient Few-Shot Learning Without Prompts"), at low rank (Hu et al. 2021,
// "LoRA: Low-Rank Adaptation of Large Language Models").
//
// All is float32 with sums in a fixed order. The result depends on the examples, the recipe
// and the kind of kernels, not on the examples' order or on the number of cores.
package finetune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

// Name names what Train with DefaultRecipe makes of examples. It changes with either.
const Name = "contrast-rank8/2"

// Base is an encoder whose last layers are trained: those of packages minilm and bert. It must be
// safe for concurrent use.
type Base interface {
	// Network says what the layers are like, and what becomes of the last one.
	Network() lowrank.Network
	// FirstLayers returns the state of a text's tokens before these layers: tokens by
	// Network.Hidden numbers. It reads the first tokens of the text, about maxTokens with
	// those around it, and at least one.
	FirstLayers(text string, maxTokens int) []float32
	// LastLayers returns the frozen weights of the layers, to be read only.
	LastLayers() []lowrank.LayerWeights
}

// Example is a text with the number of its class. Any numbers do.
type Example struct {
	Text  string
	Class int
}

// Recipe says how to train. With the examples, in any order, it determines the result.
type Recipe struct {
	Steps int // of the optimiser
	Batch int // texts a step at most: half are drawn, each with a partner of its class
	Rank  int // of what is added to each matrix, at most lowrank.MaxRank
	// MaxTokens is how many tokens of a text are read, [CLS] and [SEP] among them. Of more
	// than 1,000 texts that are drawn fewer are read, so that all fit the memory.
	MaxTokens    int
	LearningRate float64 // the peak: a tenth of the steps lead up to it, a cosine down
	WeightDecay  float64
	Temperature  float64 // of the contrast
	Seed         uint64
}

// DefaultRecipe returns the recipe for a number of examples: rank 8 and 32 texts a step, so many steps that
// each example is drawn about ten times, but at least 40, of which few examples have enough, and at most 160.
func DefaultRecipe(examples int) Recipe {
	const fewest, most, drawn = 40, 160, 10
	steps := min(max(fewest, examples*drawn/16), most) // 16 of the texts of a step are drawn, the others are partners
	return Recipe{Steps: steps, Batch: 32, Rank: 8, MaxTokens: 64, LearningRate: 1e-3, WeightDecay: 0.01, Temperature: 0.1, Seed: 1}
}

// Options are what makes no difference to the result.
type Options struct {
	Workers int // cores; less than one means one
	// Progress, if not nil, is called after each step with the number of steps done and
	// the loss before it, from the goroutine that called Train.
	Progress func(done int, loss float64)
	// Yield, if not nil, is called from each of the cores' goroutines between pieces of work
	// of a few milliseconds. It may block while something else waits.
	Yield func()
}

// ErrTooFewClasses is the error of Train for examples of fewer than two classes.
var ErrTooFewClasses = errors.New("fine-tuning needs examples of two classes")

const (
	// maxStateTokens bounds the memory for the texts' states, and so that of a training.
	maxStateTokens = 64_000
	// minTokens is how many tokens of each text there has to be room for.
	minTokens = 16
)

// tokensEach returns how many tokens of each of so many texts are read.
func (r *Recipe) tokensEach(texts int) int { return min(r.MaxTokens, maxStateTokens/max(1, texts)) }

func (r *Recipe) check() error {
	switch {
	case r.Steps < 1 || r.Steps > 10_000, r.Batch < 2 || r.Batch > 64, r.Rank < 1 || r.Rank > lowrank.MaxRank, r.MaxTokens < 3 || r.MaxTokens > 64:
		return fmt.Errorf("recipe of %d steps, %d texts a step, rank %d and %d tokens: want 1 to 10000, 2 to 64, 1 to %d and 3 to 64",
			r.Steps, r.Batch, r.Rank, r.MaxTokens, lowrank.MaxRank)
	case !(r.LearningRate > 0 && r.LearningRate < 1), !(r.WeightDecay >= 0 && r.WeightDecay < 1), !(r.Temperature >= 0.001 && r.Temperature < 1000):
		return fmt.Errorf("recipe with learning rate %v, weight decay %v and temperature %v", r.LearningRate, r.WeightDecay, r.Temperature)
	}
	return nil
}

// Train returns what adapts base to the examples. An adapter that base has already is not
// used: training begins with the frozen base. By the sizes of MiniLM it takes seconds to a
// minute and up to 300 MB; both grow with the network. It is safe for concurrent use. The
// errors are ErrTooFewClasses, a recipe out of bounds, more text or a longer prompt than fits
// the memory, training that diverges, and the context's, which is asked every few milliseconds
// by the sizes of MiniLM.
func Train(ctx context.Context, base Base, examples []Example, recipe Recipe, options Options) (*lowrank.Adapter, error) {
	if err := recipe.check(); err != nil {
		return nil, err
	}
	examples = slices.SortedFunc(slices.Values(examples), func(a, b Example) int {
		return cmp.Or(cmp.Compare(a.Text, b.Text), cmp.Compare(a.Class, b.Class))
	})
	texts := labelledTexts(examples)
	rng := rand.New(rand.NewPCG(recipe.Seed, uint64(len(examples)))) //nolint:gosec // the result is to be the same again
	plan, err := drawBatches(rng, texts, recipe.Steps, recipe.Batch)
	if err != nil {
		return nil, err
	}
	states, err := drawnStates(ctx, base, examples, plan, &recipe, &options)
	if err != nil {
		return nil, err
	}
	n := newNetwork(shape{base.Network(), recipe.Rank}, base.LastLayers())
	n.initialize(rng)
	t := newTrainer(n, states, texts, plan, &recipe, &options)
	defer t.workers.close()
	for step := range plan {
		loss, err := t.step(ctx, step)
		if err != nil {
			return nil, err
		}
		if math.IsNaN(loss) {
			return nil, fmt.Errorf("fine-tuning diverged in step %d", step+1)
		}
		if options.Progress != nil {
			options.Progress(step+1, loss)
		}
	}
	return lowrank.NewAdapter(n.Base, recipe.Rank, n.parameters)
}

// labelledTexts numbers the texts by their first example.
func labelledTexts(examples []Example) []labelledText {
	first := map[string]int{}
	out := make([]labelledText, len(examples))
	for i, e := range examples {
		if _, seen := first[e.Text]; !seen {
			first[e.Text] = i
		}
		out[i] = labelledText{e.Class, first[e.Text]}
	}
	return out
}

// drawnStates returns the states of the texts that are drawn, nil for the others.
func drawnStates(ctx context.Context, base Base, examples []Example, plan [][]int, r *Recipe, o *Options) ([][]float32, error) {
	drawn := make([]bool, len(examples))
	for _, texts := range plan {
		for _, i := range texts {
			drawn[i] = true
		}
	}
	var at []int
	for i, is := range drawn {
		if is {
			at = append(at, i)
		}
	}
	tokens := r.tokensEach(len(at))
	if tokens < min(minTokens, r.MaxTokens) {
		return nil, fmt.Errorf("fine-tuning draws %d texts: at most %d fit the memory", len(at), maxStateTokens/minTokens)
	}
	states := make([][]float32, len(examples))
	hidden := base.Network().Hidden
	workers := newWorkerPool(max(1, min(o.Workers, len(at))))
	defer workers.close()
	for some := range slices.Chunk(at, max(1, o.Workers)) { // one each, and then a pause
		if o.Yield != nil {
			o.Yield()
		}
		err := workers.runUnits(ctx, len(some), func(_, i int) { states[some[i]] = base.FirstLayers(examples[some[i]].Text, tokens) })
		if err != nil {
			return nil, err
		}
		for _, i := range some { // else there is no bound on the memory
			if n := len(states[i]) / hidden; n > 2*r.MaxTokens {
				return nil, fmt.Errorf("fine-tuning reads %d tokens of each text, and there are %d with those around it: the model's prompt is too long", r.MaxTokens, n)
			}
		}
	}
	return states, nil
}

// drawBatches draws the examples of each step: half of them without replacement, and for each
// of these another one of its class, if there is one that is not drawn yet.
func drawBatches(rng *rand.Rand, texts []labelledText, steps, size int) ([][]int, error) {
	members := map[int][]int{}
	for i, t := range texts {
		members[t.class] = append(members[t.class], i)
	}
	if len(members) < 2 {
		return nil, ErrTooFewClasses
	}
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	half := min(size, len(texts)) / 2
	drawn := make([]int, len(texts)) // the last step, from 1, that has the example
	plan := make([][]int, steps)
	for s := range plan {
		for i := range half {
			j := i + rng.IntN(len(order)-i)
			order[i], order[j] = order[j], order[i]
		}
		step := append(make([]int, 0, 2*half), order[:half]...)
		for _, i := range step {
			drawn[i] = s + 1
		}
		for _, i := range order[:half] {
			of := members[texts[i].class] // in any order
			rng.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
			if at := slices.IndexFunc(of, func(j int) bool { return drawn[j] <= s }); at >= 0 {
				step = append(step, of[at])
				drawn[of[at]] = s + 1
			}
		}
		plan[s] = step
	}
	return plan, nil
}
