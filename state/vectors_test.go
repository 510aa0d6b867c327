package state

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/event"
)

func TestVectorsAreKeptByEncoderAndContent(t *testing.T) {
	dir := t.TempDir()
	open := func() *Store {
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	keys := func(s *Store, encoder string) map[event.ContentKey]bool {
		out := map[event.ContentKey]bool{}
		check(s.VectorKeys(t.Context(), encoder, func(k event.ContentKey) { out[k] = true }))
		return out
	}
	a, b := event.ContentKey{1}, event.ContentKey{2}
	s := open()
	if v, err := s.Vector("e", a); v != nil || err != nil || len(keys(s, "e")) != 0 {
		t.Errorf("of nothing: %v, %v", v, err)
	}
	check(s.ChangeVectors(t.Context(), "e", map[event.ContentKey][]byte{a: {7}, b: {8}}, nil))
	check(s.ChangeVectors(t.Context(), "f", map[event.ContentKey][]byte{a: {9}}, nil))
	check(s.Close())

	s = open()
	defer s.Close()
	for _, w := range []struct {
		encoder string
		key     event.ContentKey
		want    []byte
	}{{"e", a, []byte{7}}, {"e", b, []byte{8}}, {"f", a, []byte{9}}, {"f", b, nil}, {"g", a, nil}} {
		if v, err := s.Vector(w.encoder, w.key); err != nil || !cmp.Equal(v, w.want) {
			t.Errorf("%s, %x: %v, %v; want %v", w.encoder, w.key[:1], v, err, w.want)
		}
	}
	check(s.ChangeVectors(t.Context(), "e", map[event.ContentKey][]byte{b: {10}}, []event.ContentKey{a, {3}}))
	if got := keys(s, "e"); !cmp.Equal(got, map[event.ContentKey]bool{b: true}) {
		t.Errorf("after a change: %v", got)
	}
	check(s.ChangeVectors(t.Context(), "images", map[event.ContentKey][]byte{a: {11}}, nil))
	for range 2 {
		check(s.RetainEncoders(t.Context(), []string{"e", "images"}))
	}
	if len(keys(s, "images")) != 1 {
		t.Error("of two encoders in use one has lost its vectors")
	}
	if len(keys(s, "f")) != 0 || len(keys(s, "e")) != 1 {
		t.Error("the wrong encoder's vectors are dropped")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.ChangeVectors(ended, "e", nil, nil); err == nil {
		t.Error("a context that has ended is ignored")
	}
}
