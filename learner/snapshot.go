package learner

import (
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/counts"
	"github.com/hone-ml/hone/learner/features"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/report"
	"github.com/hone-ml/hone/settings"
)

// snapshot is an immutable copy of a project. Any number of goroutines may read it.
type snapshot struct {
	status   report.Status
	config   string // the label config that was live
	key      string // Decisions.Key of the label config, "" when it cannot be read
	versions []event.Version
	heads    []headSnapshot
	// visibility tells which controls annotators see; nil when they see all.
	visibility *regions.Visibility
	totals     counts.Totals

	configured map[string]string // what a person has set, by key
	values     settings.Values
	features   *features.Extractor // what the heads read with
	next       *features.Extractor // what they will read with, once all its vectors are there; nil if the same
}

// headSnapshot is an immutable copy of a head.
type headSnapshot struct {
	*head.Spec
	predictor head.Predictor
	suggester head.Predictor // without the labels that are silent
	silence   head.Silence
	weights   []float64 // of the feature parts in the kernel
}

func specsOf(heads []headSnapshot) []*head.Spec {
	out := make([]*head.Spec, len(heads))
	for i, h := range heads {
		out[i] = h.Spec
	}
	return out
}

// publish makes a snapshot of the project as it is now, for readers. The lane's lock is held.
func (l *Learner) publish(p *project) {
	p.sequence++
	s := &snapshot{
		config: p.meta.LabelConfig, versions: p.versions, totals: p.counts.Totals,
		configured: p.configured, values: p.values, features: p.features, next: p.nextFeatures,
	}
	if p.controls != nil {
		s.key, s.visibility = p.controls.Key(), p.controls.Visibility()
	}
	for _, h := range p.heads {
		s.heads = append(s.heads, p.snapshotHead(h))
	}
	s.status = l.status(p, s.heads)
	if p.meta.Gone {
		l.snapshots.Delete(p.meta.Project)
		l.metrics.Forget(p.meta.Project)
		return
	}
	was := l.snapshot(p.meta.Project)
	l.snapshots.Store(p.meta.Project, s)
	l.metrics.Publish(&s.status, s.totals)
	if was != nil && (was.features != s.features || !was.values.Descriptions.Same(s.values.Descriptions)) {
		// One encoder has its vectors to make, and the other's are not needed any more; or
		// other lines say what labels mean.
		l.scan(p.meta.Project, was.features.Slow()|s.features.Slow())
	}
}

// publishAnnounced publishes a snapshot whose Learned is in the commit that follows.
func (l *Learner) publishAnnounced(p *project) {
	p.announced = p.sequence + 1
	l.publish(p)
}

// describe fills in what a Learned says of the last snapshot.
func (p *project) describe(e *event.Learned) {
	e.Since, e.Version, e.Labels, e.Snapshot = p.oldestPending, p.version(), p.labels(), p.sequence
}

// snapshot returns the last snapshot of a project, nil if there is none.
func (l *Learner) snapshot(p event.ProjectID) *snapshot {
	s, _ := l.snapshots.Load(p)
	snap, _ := s.(*snapshot)
	return snap
}

// readyHeads returns the heads that can predict: those with examples or with a prior.
func (s *snapshot) readyHeads() []headSnapshot {
	var out []headSnapshot
	for _, h := range s.heads {
		if h.predictor.Examples() > 0 || h.Prior != nil {
			out = append(out, h)
		}
	}
	return out
}

// compatibleWith reports whether predictions of the snapshot are valid under a label config.
// Label Studio sends the same config with every request, so the last one is cached parsed.
func (l *Learner) compatibleWith(s *snapshot, config string) bool {
	if config == "" || config == s.config {
		return true
	}
	last := l.configCache.Load()
	if last == nil || last.config != config {
		last = &parsedConfig{config: config}
		if cfg, err := labelconfig.Parse(config); err == nil {
			last.key = head.Decide(cfg).Key()
		}
		l.configCache.Store(last)
	}
	return last.key != "" && last.key == s.key
}

// parsedConfig is a label config and its Decisions.Key, "" when it cannot be read.
type parsedConfig struct{ config, key string }
