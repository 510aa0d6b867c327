package state_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/state"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// A writer plans a batch, learns from the deltas, and commits both with
// whatever else must become durable in the same moment.
func Example() {
	dir, err := os.MkdirTemp("", "hone-example-")
	check(err)
	defer func() { check(os.RemoveAll(dir)) }()
	ctx := context.Background()
	store, err := state.Open(dir, state.Options{})
	check(err)
	defer func() { check(store.Close()) }()

	heard := &event.Changed{
		Project: 1, Source: event.FromWebhook, At: time.Now(),
		Tasks:       []event.Task{{ID: 7, Data: json.RawMessage(`{"text":"hello"}`)}},
		Annotations: []event.Annotation{{ID: 3, Task: 7, Result: json.RawMessage(`[]`)}},
	}
	deltas, err := store.Plan(ctx, []*event.Changed{heard, heard})
	check(err)
	for _, d := range deltas {
		fmt.Println("project", d.Meta.Project, "new:", d.New, "touched:", len(d.Tasks), "duplicates:", d.Duplicates)
	}
	write, err := store.Prepare(event.Commit{Projects: []event.ProjectCommit{
		{Project: 1, Delta: &deltas[0], Checkpoint: []byte("the model")},
	}})
	check(err)
	check(store.DB().Update(func(tx *bbolt.Tx) error {
		if err := write(tx); err != nil {
			return err
		}
		_, err := tx.CreateBucketIfNotExists([]byte("log")) // move the log's cursor here
		return err
	}))
	n, err := store.Count(ctx, 1)
	check(err)
	fmt.Printf("%+v\n", n)
	// Output:
	// project 1 new: true touched: 1 duplicates: 1
	// {Tasks:1 Labelled:1 Skipped:0 Annotations:1}
}
