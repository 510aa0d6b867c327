package state

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/event"
)

func TestAdaptersAreKeptByProjectAndName(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	apply(t, s, &event.Changed{Project: 1, LabelConfig: "x"}, &event.Changed{Project: 2, LabelConfig: "x"})
	is := func(p event.ProjectID, name string, want []byte) {
		t.Helper()
		got, err := s.Adapter(ctx, p, name)
		must(t, err)
		if !cmp.Equal(got, want) {
			t.Errorf("project %d has %v as %s, want %v", p, got, name, want)
		}
	}
	is(1, "a", nil)
	is(3, "a", nil)
	for name, adapter := range map[string][]byte{"a": {1}, "b": {2}, "c": {3}} {
		must(t, s.PutAdapter(ctx, 1, name, adapter))
	}
	must(t, s.PutAdapter(ctx, 2, "a", []byte{4}))
	must(t, s.PutAdapter(ctx, 3, "a", []byte{5}))
	is(3, "a", nil) // nothing else is known of the project
	must(t, s.RetainAdapters(ctx, 1, "a", "c", "d"))
	is(1, "a", []byte{1})
	is(1, "b", nil)
	is(1, "c", []byte{3})
	is(2, "a", []byte{4})
	must(t, s.RetainAdapters(ctx, 1))
	must(t, s.RetainAdapters(ctx, 3))
	is(1, "a", nil)
	must(t, s.Forget(ctx, 2))
	is(2, "a", nil)
}
