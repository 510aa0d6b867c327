package learner

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/settings"
)

// snapshot is a project as it was at one moment. It is immutable.
type snapshot struct {
	status   Status
	config   string // the label config it was learned under
	key      string // its Decisions.Key, "" when it cannot be read
	versions []event.Version
	heads    []frozen

	configured    map[string]string // what is set, by key
	values        settings.Values
	suggestionKey string
}

// frozen is a head in a snapshot.
type frozen struct {
	*head.Spec
	mind    head.Predictor
	silence silence
}

// publish makes the project's present state what readers see.
func (l *Learner) publish(p *project) {
	p.number++
	s := &snapshot{config: p.meta.LabelConfig, versions: p.versions, configured: p.configured, values: p.values}
	if p.controls != nil {
		s.key = p.controls.Key()
	}
	for _, h := range p.heads {
		s.heads = append(s.heads, p.freeze(h))
	}
	s.suggestionKey, s.status = p.suggestionKey(s.heads), l.status(p, s.heads)
	if p.meta.Gone {
		l.snapshots.Delete(p.meta.Project)
		l.metrics.forgetScores(strconv.FormatInt(int64(p.meta.Project), 10))
		return
	}
	l.snapshots.Store(p.meta.Project, s)
	l.metrics.published(s)
}

// publishTold publishes a snapshot of which readers are to be told.
func (l *Learner) publishTold(p *project) {
	p.told = p.number + 1
	l.publish(p)
}

// tell fills in what readers are told of the last snapshot.
func (p *project) tell(e *event.Learned) {
	e.Since, e.Version, e.Labels, e.Snapshot = p.since, p.version(), p.labels(), p.number
}

func (l *Learner) snapshot(p event.ProjectID) *snapshot {
	s, _ := l.snapshots.Load(p)
	snap, _ := s.(*snapshot)
	return snap
}

// known are the heads that have learned something, or have a first guess.
func (s *snapshot) known() []frozen {
	var out []frozen
	for _, h := range s.heads {
		if h.mind.Examples() > 0 || h.Prior != nil {
			out = append(out, h)
		}
	}
	return out
}

// fits reports whether predictions of the snapshot are valid under a label
// config. Label Studio sends the same config with every request, so what was
// found of the last one is kept.
func (l *Learner) fits(s *snapshot, config string) bool {
	if config == "" || config == s.config {
		return true
	}
	last := l.parsed.Load()
	if last == nil || last.config != config {
		last = &parsedConfig{config: config}
		if cfg, err := labelconfig.Parse(config); err == nil {
			last.key = head.Decide(cfg).Key()
		}
		l.parsed.Store(last)
	}
	return last.key != "" && last.key == s.key
}

type parsedConfig struct{ config, key string }

// chunk is how many tasks a goroutine takes at a time.
const chunk = 64

// each calls f for all i below n, on as many goroutines as there are cores, in
// ranges of chunk. worker numbers the goroutines from 0. It ends early with the
// context's error.
func each(ctx context.Context, n int, f func(worker, from, to int)) error {
	workers := min(runtime.GOMAXPROCS(0), (n+chunk-1)/chunk)
	if workers <= 1 {
		for from := 0; from < n; from += chunk {
			if err := ctx.Err(); err != nil {
				return err
			}
			f(0, from, min(from+chunk, n))
		}
		return ctx.Err()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(chunk)) - chunk
				if from >= n {
					return
				}
				f(w, from, min(from+chunk, n))
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}
