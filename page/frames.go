package page

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

const (
	// frameTime is how old a frame may be; it bounds what open pages cost, however many.
	frameTime = time.Second
	// frameLimit bounds how long a frame is made.
	frameLimit = 10 * time.Second
)

// frame is what hone says at one moment.
type frame struct {
	number  uint64
	at      time.Time
	listing api.Listing
	err     error

	mu      sync.Mutex
	details map[event.ProjectID]*detail // guarded by mu: of projects that somebody looks at
}

// detail is what a project's page shows beside its status.
type detail struct {
	project  api.Project
	history  api.AccuracyHistory
	versions []api.Version
	meanings api.Descriptions
	shown    []Shown // of the queue
}

// frames hands out the present frame. Safe for concurrent use.
type frames struct {
	o *Options

	mu      sync.Mutex // held while a frame is made, so that all wait for one
	current *frame
	numbers uint64
}

// get returns a frame that is at most frameTime old.
func (f *frames) get() *frame {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.o.Now()
	if f.current != nil && now.Sub(f.current.at) < frameTime && !now.Before(f.current.at) {
		return f.current
	}
	// Not the context of who asks: others wait for this frame too.
	ctx, cancel := context.WithTimeout(context.Background(), frameLimit)
	defer cancel()
	f.numbers++
	next := &frame{number: f.numbers, at: now, details: map[event.ProjectID]*detail{}}
	next.listing, next.err = f.o.Projects.List(ctx)
	f.current = next
	return next
}

// renew has the next get make a frame, after somebody has changed something.
func (f *frames) renew() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current != nil {
		f.current.at = time.Time{}
	}
}

// project returns what there is of a project. before may be what an earlier frame had: what is of the
// same queue and model is not made anew.
func (f *frames) project(fr *frame, id event.ProjectID, before *detail) (*detail, error) {
	fr.mu.Lock()
	defer fr.mu.Unlock()
	if d := fr.details[id]; d != nil {
		return d, nil
	}
	if fr.err != nil {
		return nil, fr.err
	}
	i := slices.IndexFunc(fr.listing.Projects, func(p api.Project) bool { return p.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("%w %d: hone works with %s", api.ErrUnknownProject, id, worksWith(fr.listing.Projects))
	}
	ctx, cancel := context.WithTimeout(context.Background(), frameLimit)
	defer cancel()
	d := &detail{project: fr.listing.Projects[i]}
	var err error
	if d.history, err = f.o.Projects.Accuracy(ctx, id); err != nil {
		return nil, err
	}
	if d.versions, err = f.o.Projects.Versions(ctx, id); err != nil {
		return nil, err
	}
	if d.meanings, err = f.o.Describer.Descriptions(ctx, id); err != nil {
		return nil, err
	}
	q := d.project.Queue.Tasks
	if before != nil && before.project.Snapshot == d.project.Snapshot && slices.Equal(before.project.Queue.Tasks, q) {
		d.shown = before.shown
	} else if d.shown, err = f.o.Tasks.Show(ctx, id, q); err != nil {
		return nil, err
	}
	fr.details[id] = d
	return d, nil
}

// worksWith names the projects that there are.
func worksWith(ps []api.Project) string {
	if len(ps) == 0 {
		return "no project yet"
	}
	ids := make([]string, 0, len(ps))
	for _, p := range ps[:min(len(ps), 20)] {
		ids = append(ids, fmt.Sprint(p.ID))
	}
	return "the projects " + strings.Join(ids, ", ")
}
