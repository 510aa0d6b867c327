package model

import (
	"fmt"
	"slices"
	"sync"

	"github.com/hone-ml/hone/vector"
)

// Kernel holds the inner products of some examples, for each part of their features. Models of these
// examples (NewInKernel) with any settings need nothing else, so settings are compared in a fraction of
// the time that Models take: a step costs a sum over the examples instead of one over the features.
// It takes four bytes for each pair of examples and part. Any number of goroutines may use it.
type Kernel struct {
	n     int
	index map[int64]int // by example
	// dense are the examples' dense parts: by part and number, a row of one for each example.
	dense [][]float32
	parts [][]float32 // the hashed part first: n rows of n products

	mutex   sync.Mutex
	weights []float64              // of the parts, then the square of the bias, that
	sum     []float32              // has
	priors  map[*float32][]float32 // the margins of a prior's part, by the address of its weights
}

// maxPriors bounds the priors of which a kernel keeps the margins: names, and names with lines, each of two
// or three parts.
const maxPriors = 12

// NewKernel returns the kernel of examples, each with an id of its own.
func NewKernel(examples []Example) *Kernel {
	k := &Kernel{n: len(examples), index: make(map[int64]int, len(examples)), priors: map[*float32][]float32{}}
	type posting struct {
		example int
		value   float32
	}
	hashed := make([]float32, k.n*k.n)
	postings := map[uint32][]posting{} // of the examples before, by bucket
	var b vector.Buffer
	for i, e := range examples {
		k.index[e.ID] = i
		x := e.X.Expand(&b)
		row := hashed[i*k.n : (i+1)*k.n]
		for _, t := range x.Terms {
			value := x.Scale * t.Units()
			for _, p := range postings[t.Bucket()] {
				row[p.example] += float32(value * p.value)
			}
			postings[t.Bucket()] = append(postings[t.Bucket()], posting{i, value})
		}
		row[i] = x.Norm2
		for j := range i {
			hashed[j*k.n+i] = row[j]
		}
		for part, d := range x.Dense {
			if part == len(k.dense) {
				k.dense = append(k.dense, nil)
			}
			if missing := len(d)*k.n - len(k.dense[part]); missing > 0 {
				k.dense[part] = append(k.dense[part], make([]float32, missing)...)
			}
			for j, v := range d {
				k.dense[part][j*k.n+i] = v
			}
		}
	}
	k.parts = [][]float32{hashed}
	for _, d := range k.dense {
		k.parts = append(k.parts, k.products(d))
	}
	return k
}

// products returns the inner products of a dense part's examples.
func (k *Kernel) products(dense []float32) []float32 {
	out := make([]float32, k.n*k.n)
	for numbers := range slices.Chunk(dense, max(1, k.n)) {
		for i, v := range numbers {
			axpy(v, numbers, out[i*k.n:(i+1)*k.n])
		}
	}
	return out
}

// Len is the number of examples.
func (k *Kernel) Len() int { return k.n }

// place returns the place of an example.
func (k *Kernel) place(e Example) (int, error) {
	at, ok := k.index[e.ID]
	if !ok {
		return 0, fmt.Errorf("example %d is not in the kernel", e.ID)
	}
	return at, nil
}

// of returns the sum of the parts' products with the weights of some settings. It is read-only.
func (k *Kernel) of(s *Settings) []float32 {
	weights := make([]float64, len(k.parts)+1)
	for part := range k.parts {
		weights[part] = float64(s.weight(part))
	}
	weights[len(k.parts)] = s.Bias * s.Bias
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if slices.Equal(weights, k.weights) {
		return k.sum
	}
	sum := slices.Repeat([]float32{float32(s.Bias * s.Bias)}, k.n*k.n)
	for part, products := range k.parts {
		if weights[part] != 0 {
			axpy(float32(weights[part]), products, sum)
		}
	}
	k.weights, k.sum = weights, sum
	return sum
}

// prior returns the margins of all examples without any learned, class by class.
func (k *Kernel) prior(prior Prior, classes int, trust []float64) []float32 {
	out := make([]float32, classes*k.n)
	for part, mean := range prior {
		if part >= len(trust) || trust[part] == 0 {
			continue
		}
		mean.validate(part, classes)
		by := float32(trust[part])
		if part < len(k.dense) && len(mean.Weights) > 0 {
			axpy(by, k.priorOf(part, mean.Weights, classes), out)
		}
		for y, b := range mean.Bias {
			for i := range k.n {
				out[y*k.n+i] += float32(by * b)
			}
		}
	}
	return out
}

// priorOf returns the margins that the weights of one part give the examples, class by class.
func (k *Kernel) priorOf(part int, weights []float32, classes int) []float32 {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if m, ok := k.priors[&weights[0]]; ok {
		return m
	}
	m := make([]float32, classes*k.n)
	for j := range min(len(weights)/classes, len(k.dense[part])/max(1, k.n)) {
		numbers := k.dense[part][j*k.n : (j+1)*k.n]
		for y, w := range weights[j*classes : (j+1)*classes] {
			axpy(w, numbers, m[y*k.n:(y+1)*k.n])
		}
	}
	if len(k.priors) < maxPriors {
		k.priors[&weights[0]] = m
	}
	return m
}

// KernelModel is a Model that holds and predicts examples of a kernel only. Its optimum is that of a
// Model with the same examples.
type KernelModel struct {
	dual
	kernel *kernelSpace
}

// NewInKernel is NewFrom for examples of a kernel.
func NewInKernel(k *Kernel, prior Prior, classes int, link Link, s Settings) *KernelModel {
	m := &KernelModel{dual: newDual(classes, link, s)}
	m.kernel = &kernelSpace{Kernel: k, classes: classes, products: k.of(&m.settings), unlearned: k.prior(prior, classes, s.Trust)}
	m.kernel.reset()
	m.space = m.kernel
	return m
}

// Upsert is as of a Model. It returns an error for an example that is not in the kernel.
func (m *KernelModel) Upsert(e Example) error {
	if _, err := m.kernel.place(e); err != nil {
		return err
	}
	return m.dual.Upsert(e)
}

// UpsertWarm is as of a Model. It returns an error for an example that is not in the kernel.
func (m *KernelModel) UpsertWarm(e Example, p []float32) error {
	if _, err := m.kernel.place(e); err != nil {
		return err
	}
	return m.dual.UpsertWarm(e, p)
}

// PredictExample fills p with the probabilities of an example of the kernel, whether or not it is one of
// the model's. It panics when it is not in the kernel.
func (m *KernelModel) PredictExample(e Example, p []float64, _ *Scratch) {
	at, err := m.kernel.place(e)
	if err != nil {
		panic("model: " + err.Error())
	}
	power := m.settings.power()
	for y := range p[:m.classes] {
		p[y] = power * float64(m.kernel.at[y*m.kernel.n+at])
	}
	m.link.probabilities(p, p)
}

// kernelSpace is a space whose weights are the margins of all examples of a kernel.
type kernelSpace struct {
	*Kernel
	classes   int
	products  []float32 // n rows of n, with the weights of the settings
	unlearned []float32 // margins without examples, class by class
	at        []float32 // margins as they are
}

func (k *kernelSpace) enter(r *exampleRow) float64 {
	r.at = k.index[r.ID]
	return float64(k.products[r.at*k.n+r.at])
}

func (k *kernelSpace) leave(*exampleRow) {}

func (k *kernelSpace) wasteful() bool { return false }

func (k *kernelSpace) clear() { k.reset() }

func (k *kernelSpace) reset() { k.at = append(k.at[:0], k.unlearned...) }

func (k *kernelSpace) add(r *exampleRow, delta []float32) {
	products := k.products[r.at*k.n : (r.at+1)*k.n]
	for y, d := range delta {
		if d != 0 {
			axpy(d, products, k.at[y*k.n:(y+1)*k.n])
		}
	}
}

func (k *kernelSpace) margins(r *exampleRow, _ *Scratch, dst []float32) {
	for y := range dst {
		dst[y] = k.at[y*k.n+r.at]
	}
}
