package learner

import (
	"encoding/json"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/counts"
	"github.com/hone-ml/hone/learner/head"
)

// count counts a task anew, after the heads have learned it.
func (p *project) count(t event.TaskState) { p.counts.Put(t.Task.ID, counts.Of(t, p)) }

var _ counts.Heads = (*project)(nil)

// Specs, Takes, IsLearned, HasExample and IsRefused implement counts.Heads.
func (p *project) Specs() []*head.Spec {
	out := make([]*head.Spec, len(p.heads))
	for i, h := range p.heads {
		out[i] = h.Spec
	}
	return out
}

func (p *project) Takes(a event.Annotation) bool { return p.values.Learning.Takes(a) }

func (p *project) IsLearned(t event.TaskID, a event.AnnotationID) bool {
	return slices.ContainsFunc(p.heads, func(h *onlineHead) bool { return slices.Contains(h.annotationsByTask[t], a) })
}

func (p *project) HasExample(t event.TaskID, control string) bool {
	for _, h := range p.heads {
		if h.Control.Name == control {
			_, ok := h.fingerprints[t]
			return ok
		}
	}
	return false
}

func (p *project) IsRefused(t event.TaskID, control string) bool {
	return p.refused.Has(t, control)
}

// Lacks says what a task's data lack for the controls that a project learns, from its last
// snapshot. Safe for concurrent use.
func (l *Learner) Lacks(p event.ProjectID, data json.RawMessage) event.Lack {
	s := l.snapshot(p)
	if s == nil {
		return ""
	}
	return head.LackOf(specsOf(s.heads), data)
}
