package encode

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// AdapterEncoder is a BatchEncoder that stands for several encoders, each adapted to the labels of
// one project. Request.Adapter says which is asked.
type AdapterEncoder interface {
	BatchEncoder
	// EncodeAdapted does what EncodeBatch does, by the encoder with that name. An unknown
	// name is an error.
	EncodeAdapted(ctx context.Context, adapter string, texts []string) ([][]float32, error)
}

// Adapters is an AdapterEncoder to which encoders are added. All of them have one part, of the kind
// Adapted. It is safe for concurrent use.
type Adapters struct {
	name string

	mu     sync.RWMutex
	byName map[string]BatchEncoder
}

// NewAdapters returns an AdapterEncoder of no encoders. Vectors are stored under its name.
func NewAdapters(name string) *Adapters {
	return &Adapters{name: name, byName: map[string]BatchEncoder{}}
}

// Name implements BatchEncoder.
func (a *Adapters) Name() string { return a.name }

var onlyAdapted = []Part{Adapted}

// Parts implements PartsEncoder.
func (a *Adapters) Parts() []Part { return onlyAdapted }

// Put adds or replaces an encoder.
func (a *Adapters) Put(name string, e BatchEncoder) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byName[name] = e
}

// Drop forgets an encoder. One that is unknown is no error.
func (a *Adapters) Drop(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byName, name)
}

// Has reports whether there is an encoder with that name.
func (a *Adapters) Has(name string) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	_, ok := a.byName[name]
	return ok
}

// EncodeBatch implements BatchEncoder. It returns an error: without an adapter there is no vector.
func (a *Adapters) EncodeBatch(context.Context, []string) ([][]float32, error) {
	return nil, errors.New(a.name + " encodes with an adapter only")
}

// EncodeAdapted implements AdapterEncoder.
func (a *Adapters) EncodeAdapted(ctx context.Context, adapter string, texts []string) ([][]float32, error) {
	a.mu.RLock()
	e := a.byName[adapter]
	a.mu.RUnlock()
	if e == nil {
		return nil, fmt.Errorf("%s has no adapter %s", a.name, adapter)
	}
	return e.EncodeBatch(ctx, texts)
}
