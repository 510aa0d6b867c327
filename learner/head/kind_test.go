package head

import (
	"reflect"
	"testing"
)

// What a kind has, it says: nothing follows from what it is made of.
func TestKindsSayAllOfThemselves(t *testing.T) {
	for _, c := range []struct {
		kind                Kind
		tunable, names, own bool
	}{
		{kind: choices{}, tunable: true, names: true},
		{kind: taxonomy{}, tunable: true, names: true},
		{kind: rating{}, tunable: true},
		{kind: number{}, tunable: true},
		{kind: pairwise{}, tunable: true, own: true},
		{kind: spans{}, own: true},
	} {
		typ := reflect.TypeOf(c.kind)
		if typ.NumField() > 0 {
			t.Errorf("%v embeds %v: to take that out would change what is learned", typ, typ.Field(0).Type)
		}
		_, names := c.kind.(LabelPrior)
		_, own := c.kind.(FeatureSpace)
		if names != c.names || own != c.own || c.kind.Space().Tunable != c.tunable {
			t.Errorf("%v: has a prior of label names: %v, reads in its own way: %v, tunable: %v", typ, names, own, c.kind.Space().Tunable)
		}
	}
}
