package state

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
)

// Contents that differ, and some that only look different.
var (
	taskContents   = []string{`{"text":"a"}`, `{"text": "\u0061"}`, `{"text":"b","n":1.0}`, `{"n":1,"text":"b"}`, `null`, ``}
	resultContents = []string{`[]`, `null`, ``, `[{"value":{"choices":["x"]}}]`, `[{"value": {"choices": ["x"]}}]`, `[{"value":{"choices":["y"]}}]`}
)

// genStatement draws statements about few things, so that they collide.
func genStatement(eras bool) *rapid.Generator[*event.Changed] {
	return rapid.Custom(func(t *rapid.T) *event.Changed {
		at := rapid.IntRange(0, 9).Draw(t, "at")
		c := &event.Changed{
			Project: event.ProjectID(rapid.IntRange(1, 2).Draw(t, "project")),
			Source:  rapid.SampledFrom([]event.Source{event.FromWebhook, event.FromReconcile, event.FromSetup}).Draw(t, "source"),
			At:      sec(at), Gone: rapid.IntRange(0, 9).Draw(t, "gone") == 0,
			Title:       rapid.SampledFrom([]string{"", "", "one", "two"}).Draw(t, "title"),
			LabelConfig: rapid.SampledFrom([]string{"", "", "<A/>", "<B/>"}).Draw(t, "config"),
			CreatedAt:   rapid.SampledFrom([]int64{0, 100}).Draw(t, "created"),
		}
		if eras { // the database is replaced once, at second 5
			c.CreatedAt = 100
			if at >= 5 {
				c.CreatedAt = 50
			}
			if c.Source == event.FromWebhook { // which is not believed in this
				c.Source = event.FromSetup
			}
		}
		taskID := rapid.Map(rapid.IntRange(1, 3), func(i int) event.TaskID { return event.TaskID(i) })
		annID := rapid.Map(rapid.IntRange(1, 4), func(i int) event.AnnotationID { return event.AnnotationID(i) })
		c.Tasks = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event.Task {
			return event.Task{
				ID: taskID.Draw(t, "task"), UpdatedAt: sec(rapid.IntRange(0, 3).Draw(t, "updated")),
				Data: json.RawMessage(rapid.SampledFrom(taskContents).Draw(t, "data")),
			}
		}), 0, 2).Draw(t, "tasks")
		c.Annotations = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event.Annotation {
			return event.Annotation{
				ID: annID.Draw(t, "annotation"), Task: taskID.Draw(t, "on"), UpdatedAt: sec(rapid.IntRange(0, 3).Draw(t, "updated")),
				Result:    json.RawMessage(rapid.SampledFrom(resultContents).Draw(t, "result")),
				Cancelled: rapid.IntRange(0, 4).Draw(t, "cancelled") == 0, CompletedBy: event.UserID(rapid.IntRange(0, 1).Draw(t, "by")),
			}
		}), 0, 3).Draw(t, "annotations")
		if rapid.IntRange(0, 3).Draw(t, "deletes") == 0 {
			c.DeletedTasks = rapid.SliceOfN(taskID, 0, 1).Draw(t, "deleted tasks")
			c.DeletedAnnotations = rapid.SliceOfN(annID, 0, 2).Draw(t, "deleted annotations")
		}
		return c
	})
}

// model says what a set of statements amounts to, in the plainest way: all
// statements at once, no order, no store.
func model(p event.ProjectID, all []*event.Changed) (meta event.Meta, tasks []event.TaskState) {
	var mine []*event.Changed
	for _, c := range all {
		if c.Project == p {
			mine = append(mine, c)
		}
	}
	slices.SortStableFunc(mine, func(a, b *event.Changed) int { return a.At.Compare(b.At) })
	meta.Project = p
	for _, c := range mine { // the database heard of last counts
		meta.CreatedAt = cmp.Or(c.CreatedAt, meta.CreatedAt)
	}
	byTask := map[event.TaskID]event.Task{}
	byAnn := map[event.AnnotationID]event.Annotation{}
	goneTasks, goneAnns := map[event.TaskID]bool{}, map[event.AnnotationID]bool{}
	for _, c := range mine {
		if c.CreatedAt != 0 && c.CreatedAt != meta.CreatedAt {
			continue
		}
		if c.Title != "" && (c.At.After(meta.TitleAt) || c.Title > meta.Title) {
			meta.Title, meta.TitleAt = c.Title, c.At
		}
		if c.LabelConfig != "" && (c.At.After(meta.LabelConfigAt) || c.LabelConfig > meta.LabelConfig) {
			meta.LabelConfig, meta.LabelConfigAt = c.LabelConfig, c.At
		}
		if !c.Gone || c.Source != event.FromWebhook { // which is not believed in this
			meta.Gone = c.Gone || meta.Gone && c.At.Equal(meta.LastEvent)
			meta.LastEvent = c.At
		}
		for _, t := range c.Tasks {
			if len(t.Data) == 0 || string(t.Data) == "null" {
				continue
			}
			old, ok := byTask[t.ID]
			if c := taskVersion(t).compare(taskVersion(old)); !ok || c > 0 || c == 0 && bytes.Compare(t.Data, old.Data) > 0 {
				byTask[t.ID] = t
			}
		}
		for _, a := range c.Annotations {
			old, ok := byAnn[a.ID]
			if c := annotationVersion(a).compare(annotationVersion(old)); !ok || c > 0 || c == 0 && bytes.Compare(a.Result, old.Result) > 0 {
				byAnn[a.ID] = a
			}
		}
		for _, id := range c.DeletedTasks {
			goneTasks[id] = true
		}
		for _, id := range c.DeletedAnnotations {
			goneAnns[id] = true
		}
	}
	states := map[event.TaskID]*event.TaskState{}
	for id, t := range byTask {
		states[id] = &event.TaskState{Task: t}
	}
	for id, a := range byAnn {
		if goneAnns[id] {
			continue
		}
		if states[a.Task] == nil {
			states[a.Task] = &event.TaskState{Task: event.Task{ID: a.Task}}
		}
		states[a.Task].Annotations = append(states[a.Task].Annotations, a)
	}
	for _, id := range slices.Sorted(maps.Keys(states)) {
		if goneTasks[id] {
			continue
		}
		slices.SortFunc(states[id].Annotations, func(a, b event.Annotation) int { return cmp.Compare(a.ID, b.ID) })
		tasks = append(tasks, *states[id])
	}
	return meta, tasks
}

// follower knows the store only by its deltas, as a learner does.
type follower map[event.ProjectID]map[event.TaskID]event.TaskState

func (f follower) hear(deltas []event.Delta) {
	for _, d := range deltas {
		if d.New {
			f[d.Meta.Project] = map[event.TaskID]event.TaskState{}
		}
		for _, ts := range d.Tasks {
			if ts.Deleted || ts.Task.Data == nil && len(ts.Annotations) == 0 {
				delete(f[d.Meta.Project], ts.Task.ID)
			} else {
				f[d.Meta.Project][ts.Task.ID] = ts
			}
		}
	}
}

// taught is what the learner can see of tasks: not when they were updated, nor
// how they are spelled.
func taught(tasks []event.TaskState) map[event.TaskID]string {
	out := map[event.TaskID]string{}
	for _, ts := range tasks {
		s := string(canonicalJSON(ts.Task.Data))
		for _, a := range ts.Annotations {
			b, _ := json.Marshal([]any{a.ID, annotationVersion(a).hash})
			s += string(b)
		}
		out[ts.Task.ID] = s
	}
	return out
}

// deliver commits statements in random batches, now and then twice, now and then
// through a reopened file.
//
// With positions, as the log gives them, also what only the positions say is stored.
func deliver(t *rapid.T, dir string, statements []*event.Changed, positions bool) (string, *Store, follower) {
	order := rapid.Permutation(statements).Draw(t, "order")
	for range rapid.IntRange(0, 4).Draw(t, "repeats") {
		order = append(order, rapid.SampledFrom(statements).Draw(t, "repeat"))
	}
	if positions {
		order = slices.Clone(order)
		for i, c := range order {
			placed := *c
			placed.Position = uint64(i + 1)
			order[i] = &placed
		}
	}
	heard := follower{}
	s, err := Open(dir, Options{})
	must(t, err)
	s.db.NoSync = true // order is tested here, not durability
	for len(order) > 0 {
		n := rapid.IntRange(1, len(order)).Draw(t, "batch")
		deltas, err := s.Plan(ctx, order[:n])
		must(t, err)
		heard.hear(deltas)
		must(t, s.Commit(ctx, commitOf(deltas)))
		if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
			must(t, s.Commit(ctx, commitOf(deltas)))
		}
		order = order[n:]
		if rapid.IntRange(0, 9).Draw(t, "reopen") == 0 {
			must(t, s.Close())
			s, err = Open(dir, Options{})
			must(t, err)
			s.db.NoSync = true
		}
	}
	return dump(t, s), s, heard
}

// What is stored depends on what was said, not on the order, the batches or the
// repetitions; it is what the model says; and the deltas tell all of it.
func TestMergeIsAFunctionOfTheStatements(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		statements := rapid.SliceOfN(genStatement(rapid.Bool().Draw(t, "eras")), 1, 12).Draw(t, "statements")
		positions := rapid.Bool().Draw(t, "positions")
		var dumps [2]string
		for i := range dumps {
			dir, err := os.MkdirTemp("", "hone-state-")
			must(t, err)
			defer func() { must(t, os.RemoveAll(dir)) }()
			d, s, heard := deliver(t, dir, statements, positions)
			defer func() { must(t, s.Close()) }()
			dumps[i] = d
			for p := event.ProjectID(1); p <= 2; p++ {
				checkProject(t, s, p, statements, heard)
			}
		}
		if !positions && dumps[0] != dumps[1] { // positions are the order
			t.Fatalf("two orders, two contents:\n%s", gocmp.Diff(dumps[0], dumps[1]))
		}
	})
}

func checkProject(t *rapid.T, s *Store, p event.ProjectID, statements []*event.Changed, heard follower) {
	t.Helper()
	meta, want := model(p, statements)
	got, err := s.Tasks(ctx, p, nil)
	must(t, err)
	same := []gocmp.Option{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(event.Meta{}, "Missed", "TitleHeard", "LabelConfigHeard", "GoneHeard")}
	if diff := gocmp.Diff(want, got, same...); diff != "" {
		t.Fatalf("project %d: tasks (-model +store):\n%s", p, diff)
	}
	stored, err := s.Load(ctx, p)
	must(t, err)
	if diff := gocmp.Diff(meta, stored.Meta, same...); diff != "" {
		t.Fatalf("project %d: meta (-model +store):\n%s", p, diff)
	}
	want = slices.DeleteFunc(want, func(ts event.TaskState) bool { return len(ts.Annotations) == 0 })
	if diff := gocmp.Diff(want, labelled(t, stored), same...); diff != "" {
		t.Fatalf("project %d: labelled (-model +store):\n%s", p, diff)
	}
	if diff := gocmp.Diff(taught(got), taught(slices.Collect(maps.Values(heard[p]))), same...); diff != "" {
		t.Fatalf("project %d: what the deltas told (-store +deltas):\n%s", p, diff)
	}
	checkReaders(t, s, p, got)
}

// checkReaders compares the other readers with the whole tasks.
func checkReaders(t *rapid.T, s *Store, p event.ProjectID, tasks []event.TaskState) {
	t.Helper()
	var want Counts
	var known []event.KnownTask
	for _, ts := range tasks {
		want.Tasks++
		want.Annotations += len(ts.Annotations)
		want.Labelled += countOf(ts.Labelled())
		want.Skipped += countOf(ts.Skipped())
		k := event.KnownTask{Task: ts.Task.ID, UpdatedAt: ts.Task.UpdatedAt}
		for _, a := range ts.Annotations {
			k.Annotations = append(k.Annotations, a.ID)
		}
		known = append(known, k)
		one, err := s.Tasks(ctx, p, []event.TaskID{ts.Task.ID})
		must(t, err)
		if diff := gocmp.Diff([]event.TaskState{ts}, one, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("one task (-all +one):\n%s", diff)
		}
	}
	got, err := s.Count(ctx, p)
	must(t, err)
	if got != want {
		t.Fatalf("counted %+v, want %+v", got, want)
	}
	ids, err := s.Known(ctx, p)
	must(t, err)
	if diff := gocmp.Diff(known, ids, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("known (-tasks +known):\n%s", diff)
	}
}
