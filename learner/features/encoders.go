package features

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hone-ml/hone/encode"
)

// Encoding is an encoder with its slow parts, which add a dense part each, in this order.
type Encoding struct {
	Fast encode.Encoder
	Slow []encode.BatchEncoder
}

// Encoders holds an extractor for each encoder that a project may have. It does not change.
type Encoders struct {
	byDefault *Extractor
	byName    map[string]*Extractor
}

// NewEncoders returns the extractors of a default encoder and of others by their names. slow
// finds the vectors of the slow encoders, in the order of AllSlow. cacheBytes bounds the memory
// of what all of them cache.
func NewEncoders(byDefault Encoding, others map[string]Encoding, slow []Lookup, cacheBytes int) *Encoders {
	p := newPool(slow, cacheBytes)
	all := &Encoders{p.extractor(byDefault), map[string]*Extractor{}}
	known := map[string]*Extractor{all.byDefault.Name(): all.byDefault}
	for name, e := range others {
		x := p.extractor(e)
		if same, is := known[x.Name()]; is {
			x = same // the same encoder under two names: a change from the one to the other is none
		}
		known[x.Name()], all.byName[name] = x, x
	}
	return all
}

// Of returns the extractor of the encoder with a name, that of the default one for other names.
func (e *Encoders) Of(name string) *Extractor {
	if x, ok := e.byName[name]; ok {
		return x
	}
	return e.byDefault
}

// maxSlow is the number of bits of an EncoderSet.
const maxSlow = 64

// AllSlow returns the slow encoders of a default encoder and of others, those of the default
// first. Slow encoders with equal names are one, but within one encoder their names must
// differ: that and too many of them are errors.
func AllSlow(byDefault Encoding, others map[string]Encoding) (all []encode.BatchEncoder, err error) {
	used := map[string]bool{}
	add := func(slow []encode.BatchEncoder) {
		own := map[string]bool{}
		for _, e := range slow {
			if own[e.Name()] {
				err = fmt.Errorf("two slow encoders are named %s, and vectors are kept by name", e.Name())
			}
			if !used[e.Name()] || own[e.Name()] {
				all = append(all, e)
			}
			own[e.Name()], used[e.Name()] = true, true
		}
	}
	add(byDefault.Slow)
	for _, name := range slices.Sorted(maps.Keys(others)) {
		add(others[name].Slow)
	}
	if len(all) > maxSlow {
		err = fmt.Errorf("%d slow encoders are too many: %d at most", len(all), maxSlow)
	}
	return all, err
}
