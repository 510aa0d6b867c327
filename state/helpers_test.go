package state

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

var ctx = context.Background()

// sec is a moment n seconds into the tests' time.
func sec(n int) time.Time { return time.Unix(1_700_000_000+int64(n), 0).UTC() }

type testingT interface {
	Helper()
	Fatalf(format string, args ...any)
}

func must(t testingT, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// labelled are all labelled tasks of what was loaded.
func labelled(t testingT, s event.ProjectState) []event.TaskState {
	t.Helper()
	var out []event.TaskState
	for ts, err := range s.Labelled {
		must(t, err)
		out = append(out, ts)
	}
	return out
}

func open(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// apply plans and commits one batch.
func apply(t testingT, s *Store, changes ...*event.Changed) []event.Delta {
	t.Helper()
	deltas, err := s.Plan(ctx, changes)
	must(t, err)
	must(t, s.Commit(ctx, commitOf(deltas)))
	return deltas
}

func commitOf(deltas []event.Delta) event.Commit {
	var c event.Commit
	for i := range deltas {
		c.Projects = append(c.Projects, event.ProjectCommit{Project: deltas[i].Meta.Project, Delta: &deltas[i]})
	}
	return c
}

func task(id int, at int, data string) event.Task {
	return event.Task{ID: event.TaskID(id), UpdatedAt: sec(at), Data: json.RawMessage(data)}
}

func annotation(id, task, at int, label string) event.Annotation {
	return event.Annotation{
		ID: event.AnnotationID(id), Task: event.TaskID(task), UpdatedAt: sec(at),
		Result: json.RawMessage(fmt.Sprintf(`[{"from_name":"c","type":"choices","value":{"choices":[%q]}}]`, label)),
	}
}

// dump spells out everything stored, key by key; "missed" is left out, because
// it alone depends on the order of arrival.
func dump(t testingT, s *Store) string {
	t.Helper()
	var out strings.Builder
	var walk func(b *bbolt.Bucket, path string) error
	walk = func(b *bbolt.Bucket, path string) error {
		return b.ForEach(func(k, v []byte) error {
			if v == nil {
				return walk(b.Bucket(k), fmt.Sprintf("%s/%x", path, k))
			}
			if string(k) == string(keyMeta) {
				var m event.Meta
				if err := decodeJSON("meta", v, &m); err != nil {
					return err
				}
				m.Missed = 0
				v, _ = json.Marshal(m)
			}
			fmt.Fprintf(&out, "%s/%x = %x %q\n", path, k, v, v)
			return nil
		})
	}
	must(t, s.db.View(func(tx *bbolt.Tx) error { return walk(projectsBucket(tx), "") }))
	return out.String()
}
