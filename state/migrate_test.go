package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// What schema 2 had in the settings of the versions of each project, oldest first, and
// what must come of it. The last is live, or the one said.
var schema2Projects = []struct {
	name     string
	live     int
	settings []string
	want     []string // of the versions
	state    string
}{
	{
		name: "a retrain is pending", live: 1,
		settings: []string{
			`{"heads":{"c":{"ridge":0.1}}}`,
			`{"heads":{"c":{"ridge":0.030000000000000002,"parts":[1,0.3]}},"chosen":{"c":{"settings":{"ridge":0.3},"rung":32,"sum":18446744073709551615}},"snapshot":7,"pending":{"at":"2026-11-01T00:00:00Z","reason":"asked","again":true},"progress":{"c":{"all":{"n":3},"fading":{"n":2.5}}}}`,
		},
		want:  []string{`{"heads":{"c":{"ridge":0.1}}}`, `{"heads":{"c":{"ridge":0.030000000000000002,"parts":[1,0.3]}}}`},
		state: `{"chosen":{"c":{"settings":{"ridge":0.3},"rung":32,"sum":18446744073709551615}},"pending":{"at":"2026-11-01T00:00:00Z","reason":"asked","again":true},"progress":{"c":{"all":{"n":3},"fading":{"n":2.5}}},"snapshot":7}`,
	},
	{
		name: "a rollback holds", live: 0,
		settings: []string{`{"heads":{"c":{"ridge":0.1}},"pinned":true,"snapshot":9}`, `{"heads":{"c":{"ridge":1}}}`},
		want:     []string{`{"heads":{"c":{"ridge":0.1}}}`, `{"heads":{"c":{"ridge":1}}}`},
		state:    `{"pinned":true,"snapshot":9}`,
	},
	{
		name: "a rollback that an older hone did not write down", live: 0,
		settings: []string{`{"heads":{"c":{"ridge":0.1}}}`, `{}`},
		want:     []string{`{"heads":{"c":{"ridge":0.1}}}`, `{}`},
		state:    `{"pinned":true}`,
	},
	{name: "nothing learned", live: 0, settings: []string{``}, want: []string{``}, state: `{}`},
	{name: "damaged settings", live: 0, settings: []string{`{"heads":`}, want: []string{`{"heads":`}, state: `{}`},
	{name: "no object", live: 0, settings: []string{`null`}, want: []string{`null`}, state: `{}`},
}

// schema2Data makes a data directory of schema 2 with these projects, one that has no
// versions and one whose list of versions is damaged.
func schema2Data(t *testing.T) (dir string) {
	t.Helper()
	dir = filled(t) // project 1
	s, err := Open(dir, Options{})
	must(t, err)
	for i, p := range schema2Projects {
		id := event.ProjectID(10 + i)
		deltas, err := s.Plan(ctx, []*event.Changed{{Project: id, At: sec(1), Title: p.name, Tasks: []event.Task{task(1, 1, `{"text":"t"}`)}}})
		must(t, err)
		c := commitOf(deltas)
		c.Projects[0].Checkpoint = []byte("checkpoint of " + p.name)
		for j, settings := range p.settings {
			c.Projects[0].Versions = append(c.Projects[0].Versions, event.Version{
				Name: fmt.Sprintf("hone-%d", j+1), CreatedAt: sec(j), Reason: "first", Live: j == p.live, Labels: j,
				Settings: []byte(settings), Accuracy: map[string]float64{"c": 0.7},
			})
		}
		must(t, s.Commit(ctx, c))
	}
	must(t, s.ChangeVectors(ctx, "slow/1", map[event.ContentKey][]byte{{1, 2}: []byte("a vector")}, nil))
	must(t, s.Close())
	withFile(t, dir, func(tx *bbolt.Tx) error {
		return openProject(tx, 1).project.Put(keyVersions, []byte("damaged"))
	})
	setSchema(t, dir, 2)
	return dir
}

// checkSplit checks what a migrated directory holds.
func checkSplit(t *testing.T, dir string) {
	t.Helper()
	s, err := Open(dir, Options{})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	must(t, s.db.View(func(tx *bbolt.Tx) error {
		if v, err := schemaOf(tx); err != nil || v != uint64(len(migrations)) {
			t.Errorf("schema %d, %v", v, err)
		}
		return nil
	}))
	for i, p := range schema2Projects {
		got, err := s.Load(ctx, event.ProjectID(10+i))
		must(t, err)
		if string(got.LearnerState) != p.state {
			t.Errorf("%s: the learner's state is %s", p.name, got.LearnerState)
		}
		if string(got.Checkpoint) != "checkpoint of "+p.name || got.Meta.Title != p.name || len(labelled(t, got)) != 0 {
			t.Errorf("%s: else %+v", p.name, got)
		}
		var want []event.Version
		for j, settings := range p.want {
			v := event.Version{
				Name: fmt.Sprintf("hone-%d", j+1), CreatedAt: sec(j), Reason: "first", Live: j == p.live, Labels: j,
				Accuracy: map[string]float64{"c": 0.7},
			}
			if settings != "" {
				v.Settings = []byte(settings)
			}
			want = append(want, v)
		}
		if diff := cmp.Diff(want, got.Versions); diff != "" {
			t.Errorf("%s (-want +got):\n%s", p.name, diff)
		}
	}
	if _, err := s.Load(ctx, 1); !errors.Is(err, errDamagedRecord) {
		t.Errorf("the damaged list of versions: %v", err)
	}
	if v, err := s.Vector("slow/1", event.ContentKey{1, 2}); err != nil || string(v) != "a vector" {
		t.Errorf("the vector is %q, %v", v, err)
	}
}

func TestOpenSplitsTheSettingsOfVersions(t *testing.T) {
	dir := schema2Data(t)
	checkSplit(t, dir)
	once := databaseOf(t, dir)
	checkSplit(t, dir)
	if !bytes.Equal(once, databaseOf(t, dir)) {
		t.Error("the second start wrote to the file")
	}
}

// Killed at any moment of the migration, the file is of the old schema or of the new.
func TestKilledWhileItMigrates(t *testing.T) {
	for _, at := range []string{"before", "half", "after"} {
		t.Run(at, func(t *testing.T) {
			dir := schema2Data(t)
			cmd := child(t, "migrate", dir)
			cmd.Env = append(cmd.Env, stepEnv+"="+at)
			if out, err := cmd.Output(); cmd.ProcessState.ExitCode() != 3 {
				t.Fatalf("%v: %s", err, out)
			}
			withFile(t, dir, func(tx *bbolt.Tx) error {
				if v, err := schemaOf(tx); err != nil || v != 2 {
					t.Errorf("schema %d, %v", v, err)
				}
				return nil
			})
			checkSplit(t, dir)
		})
	}
}

// migrateUntil opens a database and dies at a moment of its migration.
func migrateUntil(dir string) {
	at := os.Getenv(stepEnv)
	migrations[2] = func(tx *bbolt.Tx) error {
		switch at {
		case "before":
			os.Exit(3)
		case "half":
			if err := splitProject(openProject(tx, 10).project); err != nil {
				return err
			}
			os.Exit(3)
		}
		if err := splitVersionSettings(tx); err != nil {
			return err
		}
		os.Exit(3)
		return nil
	}
	_, err := Open(dir, Options{})
	fmt.Println("it did not get there:", err)
	os.Exit(1)
}

// A power cut leaves any of the pages that a transaction wrote before its last, the one
// that makes it count: the file is then of the old schema, and whole.
func TestAPowerCutWhileItMigrates(t *testing.T) {
	dir := schema2Data(t)
	before := databaseOf(t, dir)
	checkSplit(t, dir)
	after := databaseOf(t, dir)
	size := os.Getpagesize()
	if bytes.Equal(before, after) {
		t.Fatal("nothing was migrated")
	}
	for round := range 40 {
		rng := rand.New(rand.NewPCG(uint64(round), 1))
		torn := bytes.Clone(before)
		for at := 2 * size; at < len(after); at += size { // the first two make transactions count
			if rng.IntN(2) == 0 && at+size <= len(torn) {
				copy(torn[at:at+size], after[at:at+size])
			}
		}
		if round%4 == 0 { // the page that makes it count, cut off within
			for at := range 2 {
				copy(torn[at*size:at*size+56], after[at*size:])
			}
		}
		left := t.TempDir()
		must(t, os.WriteFile(filepath.Join(left, fileName), torn, 0o600))
		checkSplit(t, left)
	}
}

// The settings stay with the version, and all else is what the record then has.
func TestASplitKeepsTheKeysOfSchema2(t *testing.T) {
	settings, rest := splitSettings([]byte(`{"heads":{},"pinned":true}`))
	if string(settings) != `{"heads":{}}` || string(rest[schema2Pinned]) != "true" || len(rest) != 1 {
		t.Errorf("%s, %v", settings, rest)
	}
	if b, err := json.Marshal(rest); err != nil || string(b) != `{"pinned":true}` {
		t.Errorf("%s, %v", b, err)
	}
}
