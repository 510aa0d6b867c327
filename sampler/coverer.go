package sampler

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/coverage"
)

// Vectors reads the vectors by which strategies tell how near tasks are. It must not
// wait for learning.
type Vectors interface {
	// Vectors returns a vector for each task, in order, of any length above 0; nil for one that
	// has none, or not yet. Vectors of two spaces do not compare.
	Vectors(ctx context.Context, p event.ProjectID, tasks []event.Task) (vectors [][]float32, space string, err error)
}

// coverer is what strategies that need vectors keep from one ranking of a project to the next. All of
// it follows from the tasks, the labelled ones and their vectors, so it saves time and changes
// no queue. One goroutine uses it.
type coverer struct {
	space    coverage.Space
	name     string                  // of the vectors' space
	sampled  map[event.TaskID]uint64 // the fingerprints of the tasks in the space
	labelled map[event.TaskID]uint64 // and of the labelled ones
}

// fingerprint tells a task's data from others.
func fingerprint(t event.Task) uint64 { return xxhash.Sum64(t.Data) }

// update makes the space that of a sample of the pool and of labelled tasks, which are given by
// the fingerprints of their data. Tasks without a vector are left out.
func (c *coverer) update(ctx context.Context, r *Ranker, p event.ProjectID, sample []event.Task, labelled map[event.TaskID]uint64) error {
	for {
		same, err := c.follow(ctx, r, p, sample, labelled)
		if err != nil {
			*c = coverer{}
		}
		if same || err != nil {
			return err
		}
	}
}

// follow is update; same is false when vectors of another space came, and all are needed again.
func (c *coverer) follow(ctx context.Context, r *Ranker, p event.ProjectID, sample []event.Task, labelled map[event.TaskID]uint64) (same bool, _ error) {
	prints := make(map[event.TaskID]uint64, len(sample))
	var asked []event.Task // whose vectors are
	for _, t := range sample {
		prints[t.ID] = fingerprint(t)
		if was, is := c.sampled[t.ID]; !is || was != prints[t.ID] {
			asked = append(asked, t)
		}
	}
	added := len(asked)
	c.space.Unlabel(func(id int64) bool { return unchanged(labelled, c.labelled, id) })
	answered, err := c.uncovering(ctx, r, p, labelled)
	if err != nil {
		return false, err
	}
	asked = append(asked, answered...)
	vectors, name, err := r.vectors.Vectors(ctx, p, asked)
	if err != nil {
		return false, fmt.Errorf("vectors of %d tasks: %w", len(asked), err)
	}
	if name != c.name && (len(c.sampled) > 0 || c.space.Labelled() > 0) {
		*c = coverer{}
		return false, nil
	}
	points := func(from, to int) (out []coverage.Point) {
		for i, v := range vectors[from:to] {
			if len(v) > 0 {
				out = append(out, coverage.Point{ID: int64(asked[from+i].ID), Vector: v})
			}
		}
		return out
	}
	if err := c.space.Update(ctx, func(id int64) bool { return unchanged(prints, c.sampled, id) }, points(0, added)); err != nil {
		return false, err
	}
	c.space.Label(points(added, len(asked)))
	maps.DeleteFunc(prints, func(id event.TaskID, _ uint64) bool { return !c.space.Has(int64(id)) })
	c.name, c.sampled, c.labelled = name, prints, maps.Clone(labelled)
	return true, nil
}

func unchanged(now, before map[event.TaskID]uint64, id int64) bool {
	a, is := now[event.TaskID(id)]
	return is && a == before[event.TaskID(id)]
}

// uncovering reads the labelled tasks that do not cover yet.
func (c *coverer) uncovering(ctx context.Context, r *Ranker, p event.ProjectID, labelled map[event.TaskID]uint64) (out []event.Task, _ error) {
	var ids []event.TaskID
	for id := range labelled {
		if !c.space.HasLabelled(int64(id)) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	slices.Sort(ids)
	states, err := r.pool.Tasks(ctx, p, ids)
	if err != nil {
		return nil, fmt.Errorf("read %d labelled tasks: %w", len(ids), err)
	}
	for _, s := range states {
		if !s.Deleted {
			out = append(out, s.Task)
		}
	}
	return out, nil
}
