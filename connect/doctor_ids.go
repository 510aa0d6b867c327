package connect

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
)

// idsAgain is how long the doctor waits before it believes that ids differ: a webhook
// may be on its way.
const idsAgain = 2 * time.Second

// idSet is a set of ids of a project's tasks and annotations. The key of an annotation is
// its task's id and its own, that of a task its id twice.
type idSet map[[2]int64]bool

func idSetOf(known []event.KnownTask) idSet {
	h := make(idSet, len(known))
	for _, t := range known {
		h[[2]int64{int64(t.Task), 0}] = true
		for _, a := range t.Annotations {
			h[[2]int64{int64(t.Task), int64(a)}] = true
		}
	}
	return h
}

// hash returns a hash of the ids; equal sets have equal hashes.
func (h idSet) hash() string {
	sum := sha256.New()
	ids := slices.SortedFunc(maps.Keys(h), func(a, b [2]int64) int { return slices.Compare(a[:], b[:]) })
	for _, id := range ids {
		_ = binary.Write(sum, binary.BigEndian, id) // a hash takes everything
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:6])
}

// compareWith counts the tasks and annotations in h, and those of them that o lacks.
func (h idSet) compareWith(o idSet) (c idCount) {
	for id := range h {
		is := &c.annotations
		lacks := &c.lackAnnotations
		if id[1] == 0 {
			is, lacks = &c.tasks, &c.lackTasks
		}
		*is++
		if !o[id] {
			*lacks++
		}
	}
	return c
}

type idCount struct{ tasks, annotations, lackTasks, lackAnnotations int }

// checkIDs compares what hone holds with what Label Studio does, by id.
func (r *registration) checkIDs(ctx context.Context) {
	const name = "labels"
	if r.link.o.Holds == nil {
		return
	}
	theirs, ours, err := r.bothIDs(ctx)
	if err == nil && theirs.hash() != ours.hash() {
		backoff.Sleep(ctx, r.link.idsAgain)
		theirs, ours, err = r.bothIDs(ctx)
	}
	if err != nil {
		r.addStep("fail", name, "look into the logs of hone and Label Studio", "they cannot be compared: %v", err)
		return
	}
	fix := fmt.Sprintf("run `hone reconcile --project %d`, which learns the difference; if it comes back, `hone rebuild --project %d`", r.project, r.project)
	has, knows := theirs.compareWith(ours), ours.compareWith(theirs)
	switch digest := ours.hash(); {
	case digest == theirs.hash():
		r.addStep("ok", name, "", "hone knows the %d tasks and %d annotations that Label Studio has (ids %s)", has.tasks, has.annotations, digest)
	default:
		r.addStep("fail", name, fix, "hone knows %d tasks and %d annotations (ids %s), Label Studio has %d and %d (ids %s): hone lacks %d tasks and %d annotations, and has %d and %d too many",
			knows.tasks, knows.annotations, digest, has.tasks, has.annotations, theirs.hash(),
			has.lackTasks, has.lackAnnotations, knows.lackTasks, knows.lackAnnotations)
	}
}

func (r *registration) bothIDs(ctx context.Context) (theirs, ours idSet, err error) {
	known, err := r.client.KnownTasks(ctx, r.project)
	if err != nil {
		return nil, nil, err
	}
	stored, err := r.link.o.Holds(ctx, r.project)
	return idSetOf(known), idSetOf(stored), err
}
