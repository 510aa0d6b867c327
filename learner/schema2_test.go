package learner_test

import (
	"encoding/json"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/state"
)

// toSchema2 stores a project as hones of schema 2 did: what is kept of it is part of the
// settings of its live version.
func toSchema2(t *testing.T, s *state.Store) {
	t.Helper()
	p, err := s.Load(bg, 1)
	must(t, err)
	for i, v := range p.Versions {
		if !v.Live {
			continue
		}
		settings := map[string]json.RawMessage{}
		must(t, json.Unmarshal(p.LearnerState, &settings))
		must(t, json.Unmarshal(v.Settings, &settings))
		p.Versions[i].Settings, err = json.Marshal(settings)
		must(t, err)
	}
	list, err := json.Marshal(p.Versions)
	must(t, err)
	must(t, s.DB().Update(func(tx *bbolt.Tx) error {
		root := tx.Bucket([]byte("state"))
		b := root.Bucket([]byte("projects")).Bucket([]byte{0x80, 0, 0, 0, 0, 0, 0, 1})
		must(t, b.Delete([]byte("learner")))
		must(t, b.Put([]byte("versions"), append([]byte{1}, list...)))
		return root.Put([]byte("schema"), []byte{0, 0, 0, 0, 0, 0, 0, 2})
	}))
}

// A project that a hone of schema 2 stored goes on as it was: its settings, where they
// come from, what holds them, its scores, and a retrain that waits.
func TestAProjectOfSchema2GoesOn(t *testing.T) {
	for name, last := range map[string]event.Event{
		"follows the labels":         &event.Changed{Project: 1, At: at(3)},
		"a rollback holds":           &event.RollbackDue{Project: 1, At: at(3), To: "hone-1"},
		"a rollback holds, forwards": &event.RollbackDue{Project: 1, At: at(3), To: "hone-2"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := state.Open(dir, state.Options{})
			must(t, err)
			l := start(t, &disk{Store: s}, learner.Options{})
			apply(t, l, unsure(60), due(2, "asked"))
			rest(t, l)
			apply(t, l, &event.RollbackDue{Project: 1, At: at(3), To: "hone-1"})
			apply(t, l, last)
			rest(t, l)
			want, versions := status(t, l), l.Versions(1)
			must(t, l.Stop(bg))
			before, err := s.Load(bg, 1)
			must(t, err)
			toSchema2(t, s)
			must(t, s.Close())

			s, err = state.Open(dir, state.Options{})
			must(t, err)
			t.Cleanup(func() { must(t, s.Close()) })
			after, err := s.Load(bg, 1)
			must(t, err)
			if sameJSON(t, before.LearnerState) != sameJSON(t, after.LearnerState) {
				t.Errorf("the learner's state was %s and is %s", before.LearnerState, after.LearnerState)
			}
			for i, v := range before.Versions {
				if sameJSON(t, v.Settings) != sameJSON(t, after.Versions[i].Settings) {
					t.Errorf("%s had %s and has %s", v.Name, v.Settings, after.Versions[i].Settings)
				}
			}
			again := start(t, &disk{Store: s}, learner.Options{})
			rest(t, again)
			got := status(t, again)
			if got.Version != want.Version || got.SettingsHeld != want.SettingsHeld || got.Heads[0].Tested != want.Heads[0].Tested ||
				got.Heads[0].Ridge != want.Heads[0].Ridge || got.Snapshot <= want.Snapshot || len(again.Versions(1)) != len(versions) {
				t.Errorf("it was %+v and is %+v", want, got)
			}
			must(t, again.Stop(bg))
		})
	}
}

// sameJSON spells JSON in one way.
func sameJSON(t *testing.T, b []byte) string {
	t.Helper()
	var v any
	must(t, json.Unmarshal(b, &v))
	out, err := json.Marshal(v)
	must(t, err)
	return string(out)
}
