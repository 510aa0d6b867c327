package state

import (
	"maps"
	"testing"

	"github.com/hone-ml/hone/event"
)

// Settings are stored with the batch that changes them, apart for each project, and go when
// the project does; a commit without any changes nothing.
func TestSettingsOfAProject(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	have := func(p event.ProjectID) map[string]string {
		t.Helper()
		st, err := s.Load(ctx, p)
		must(t, err)
		return st.Settings
	}
	set := func(p event.ProjectID, settings map[string]string) {
		t.Helper()
		must(t, s.Commit(ctx, event.Commit{Projects: []event.ProjectCommit{{Project: p, Settings: settings}}}))
	}
	for p := range event.ProjectID(3) {
		apply(t, s, &event.Changed{Project: p + 1, CreatedAt: 100, Source: event.FromSetup, At: sec(1), Title: "a"})
	}
	if have(1) != nil {
		t.Error("a fresh project has settings")
	}
	want := map[string]string{"queue": "5", "of another hone": "?"}
	set(1, want)
	set(2, map[string]string{"strategy": "entropy"})
	set(1, nil)
	must(t, s.Close())
	s = open(t, dir, Options{})
	if !maps.Equal(have(1), want) || len(have(2)) != 1 || have(3) != nil {
		t.Errorf("after a restart %v, %v, %v", have(1), have(2), have(3))
	}
	// Label Studio was restored, or the project is gone and there again: the settings stay.
	apply(t, s, &event.Changed{Project: 1, CreatedAt: 100, Source: event.FromReconcile, At: sec(5), Gone: true, Reading: &event.Reading{}})
	apply(t, s, &event.Changed{Project: 1, CreatedAt: 100, Source: event.FromReconcile, At: sec(6), Title: "old", Reading: &event.Reading{}})
	if !maps.Equal(have(1), want) {
		t.Errorf("after a restore of Label Studio %v", have(1))
	}
	set(2, map[string]string{})
	if have(2) != nil {
		t.Errorf("all are at their defaults, but %v is stored", have(2))
	}
	// Another database, another project.
	apply(t, s, &event.Changed{Project: 1, CreatedAt: 200, Source: event.FromReconcile, At: sec(7), Title: "new", Reading: &event.Reading{}})
	if have(1) != nil {
		t.Errorf("another project has the settings %v of one that is no more", have(1))
	}
	set(3, want)
	must(t, s.Forget(ctx, 3))
	if have(3) != nil {
		t.Error("a forgotten project has settings")
	}
}
