package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/hone-ml/hone/event"
)

func TestCommitStoresAllOrNothing(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	apply(t, s, webhook(1, event.Changed{Tasks: []event.Task{task(1, 1, `{"text":"1"}`)}}))
	before := dump(t, s)
	deltas, err := s.Plan(ctx, []*event.Changed{webhook(2, event.Changed{Annotations: []event.Annotation{annotation(5, 1, 2, "x")}})})
	must(t, err)
	if dump(t, s) != before {
		t.Fatal("Plan wrote")
	}
	c := commitOf(deltas)
	c.Projects[0].Checkpoint, c.Projects[0].Versions = []byte("model"), []event.Version{{Name: "hone-1", Live: true}}
	c.Projects[0].LearnerState = []byte("what is pending")

	boom := errors.New("boom")
	sawState := false
	write, err := s.Prepare(c)
	must(t, err)
	err = s.db.Update(func(tx *bbolt.Tx) error {
		if err := write(tx); err != nil {
			return err
		}
		sawState = openProject(tx, 1).project.Get(keyCheckpoint) != nil && openProject(tx, 1).project.Get(keyLearnerState) != nil
		if _, err := tx.CreateBucket([]byte("log")); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) || !sawState {
		t.Fatalf("got %v, state seen inside: %v", err, sawState)
	}
	if dump(t, s) != before {
		t.Fatal("a failed commit left something")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Commit(cancelled, c); !errors.Is(err, context.Canceled) || dump(t, s) != before {
		t.Fatalf("a cancelled commit: %v", err)
	}

	must(t, s.Commit(ctx, c))
	after := dump(t, s)
	must(t, s.Commit(ctx, c)) // again
	if dump(t, s) != after {
		t.Fatal("the same commit twice is not the same as once")
	}
	// nil leaves the checkpoint, the versions and the learner's state, empty ones replace.
	must(t, s.Commit(ctx, event.Commit{Projects: []event.ProjectCommit{{Project: 1}}}))
	if dump(t, s) != after {
		t.Fatal("an empty commit changed something")
	}
	must(t, s.Commit(ctx, event.Commit{Projects: []event.ProjectCommit{{Project: 1, Checkpoint: []byte{}, Versions: []event.Version{}}}}))
	stored, err := s.Load(ctx, 1)
	must(t, err)
	if string(stored.LearnerState) != "what is pending" {
		t.Errorf("the learner's state is %q", stored.LearnerState)
	}
	if len(stored.Checkpoint) != 0 || len(stored.Versions) != 0 || len(labelled(t, stored)) != 1 {
		t.Fatalf("not replaced: %+v", stored)
	}
	if err := s.Commit(ctx, event.Commit{Projects: []event.ProjectCommit{{Project: 2, Delta: &deltas[0]}}}); err == nil {
		t.Error("a delta was stored under another project")
	}
}

// A full disk fails the commit, and the same one succeeds when there is room.
func TestCommitCanBeRetriedAfterAFullDisk(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	apply(t, s, webhook(1, event.Changed{Tasks: []event.Task{task(1, 1, `{"text":"1"}`)}}))
	before := dump(t, s)
	big := event.Changed{}
	for i := range 3000 {
		big.Tasks = append(big.Tasks, task(i, 5, `{"text":"`+strings.Repeat("x", 1000)+`"}`))
	}
	deltas, err := s.Plan(ctx, []*event.Changed{webhook(2, big)})
	must(t, err)
	s.db.MaxSize = 1 << 20
	if err := s.Commit(ctx, commitOf(deltas)); !errors.Is(err, bbolterrors.ErrMaxSizeReached) {
		t.Fatalf("got %v", err)
	}
	if dump(t, s) != before {
		t.Fatal("a failed commit left something")
	}
	s.db.MaxSize = 0
	must(t, s.Commit(ctx, commitOf(deltas)))
	if n, err := s.Count(ctx, 1); err != nil || n.Tasks != 3000 {
		t.Fatalf("%+v, %v", n, err)
	}
}

// A backup taken while hone writes is one moment of it: here, every commit adds
// one task and one annotation to each of two projects.
func TestBackupIsOneMoment(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	step := func(i int) {
		c := event.Changed{
			Tasks:       []event.Task{task(i, 1, fmt.Sprintf(`{"text":%q}`, strings.Repeat("x", 500)))},
			Annotations: []event.Annotation{annotation(i, i, 1, "x")},
		}
		other := c
		other.Project = 2
		apply(t, s, webhook(i, c), webhook(i, other))
	}
	step(1)
	stop, started := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 2; ; i++ {
			select {
			case <-stop:
				return
			default:
				step(i)
				if i == 5 {
					close(started)
				}
			}
		}
	})
	<-started
	for range 5 {
		var b bytes.Buffer
		must(t, s.Backup(&b))
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, fileName), b.Bytes(), 0o600))
		copied := open(t, dir, Options{})
		one, err := copied.Count(ctx, 1)
		must(t, err)
		two, err := copied.Count(ctx, 2)
		must(t, err)
		if one != two || one.Tasks < 5 || one.Tasks != one.Annotations {
			t.Errorf("torn copy: %+v, %+v", one, two)
		}
	}
	close(stop)
	wg.Wait()
}

func TestProjectsAreApart(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for _, p := range []event.ProjectID{300, 2} {
		apply(t, s, webhook(1, event.Changed{Project: p, Title: fmt.Sprint(p), Tasks: []event.Task{task(1, 1, `{"text":"t"}`)}}))
	}
	must(t, s.SetWatermark(ctx, 9, sec(1))) // not heard of yet
	apply(t, s, webhook(2, event.Changed{Project: 2, DeletedTasks: []event.TaskID{1}}))
	all, err := s.Projects(ctx)
	must(t, err)
	if len(all) != 2 || all[0].Project != 2 || all[1].Title != "300" {
		t.Errorf("projects: %+v", all)
	}
	if n, err := s.Count(ctx, 300); err != nil || n.Tasks != 1 {
		t.Errorf("project 300 has %+v, %v", n, err)
	}
	unknown, err := s.Load(ctx, 9)
	must(t, err)
	if tasks := labelled(t, unknown); len(tasks) > 0 {
		t.Errorf("unknown project has %+v", tasks)
	}
	unknown.Labelled = nil
	if diff := cmp.Diff(event.ProjectState{Meta: event.Meta{Project: 9}}, unknown); diff != "" {
		t.Errorf("unknown project (-want +got)\n%s", diff)
	}
}

// One more than a transaction reads, and exactly as many.
func TestLoadReadsAllLabelledTasks(t *testing.T) {
	for _, n := range []int{loadTasks, loadTasks + 1, 2*loadTasks + 1} {
		s := open(t, t.TempDir(), Options{})
		c := &event.Changed{Project: 1, At: sec(1)}
		for id := range n {
			c.Tasks = append(c.Tasks, task(id+1, 1, `{}`))
			c.Annotations = append(c.Annotations, annotation(id+1, id+1, 1, "x"))
		}
		apply(t, s, c)
		stored, err := s.Load(ctx, 1)
		must(t, err)
		all, err := s.Tasks(ctx, 1, nil)
		must(t, err)
		for range 2 { // it can be run again
			if diff := cmp.Diff(all, labelled(t, stored)); diff != "" {
				t.Fatalf("%d tasks (-all +labelled)\n%s", n, diff)
			}
		}
		for ts, err := range stored.Labelled { // and left
			must(t, err)
			if ts.Task.ID != 1 {
				t.Fatalf("the first task is %d", ts.Task.ID)
			}
			break
		}
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		stored, err = s.Load(canceled, 1)
		if err == nil {
			t.Fatalf("loaded %+v", stored)
		}
	}
}
