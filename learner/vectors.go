package learner

import (
	"context"
	"encoding/json"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/ranking"
)

// reader reads tasks with the heads that can predict.
func (s *snapshot) reader() ranking.Reader {
	heads := s.readyHeads()
	r := ranking.Reader{Features: s.features}
	for _, h := range heads {
		r.Heads = append(r.Heads, ranking.Head{Spec: h.Spec, Predictor: h.predictor})
	}
	if s.visibility != nil {
		r.Hidden = func(data json.RawMessage, scratch *head.Scratch) map[string]bool {
			return head.Hidden(s.visibility, s.answers(heads, data, scratch), nil)
		}
	}
	return r
}

// Vectors returns for each task, in order, a vector whose cosine tells how alike tasks are, of any
// length above 0, by the first head that has a features.Similarity. It is nil for a task without
// text, for one of which a part has not arrived, and for all while nothing is known of the
// project. space is equal for vectors that can be compared. It waits for no vector. The error is
// the context's. Safe for concurrent use.
func (l *Learner) Vectors(ctx context.Context, p event.ProjectID, tasks []event.Task) (vectors [][]float32, space string, err error) {
	if s := l.snapshot(p); s != nil {
		for _, h := range s.heads {
			if c, ok := s.features.Similarity(h.Spec, h.weights); ok {
				vectors, err = ranking.Vectors(ctx, c, tasks)
				return vectors, c.Space(), err
			}
		}
	}
	return make([][]float32, len(tasks)), "", ctx.Err()
}

// Sketches returns those of ranking.Reader, and their space; nil and "" where there are none.
// Safe for concurrent use.
func (l *Learner) Sketches(ctx context.Context, p event.ProjectID, tasks []event.Task) (sketches [][]byte, whole []bool, space string, err error) {
	if s := l.snapshot(p); s != nil {
		if r := s.reader(); r.SketchSpace() != "" {
			sketches, whole, err = r.Sketches(ctx, tasks)
			return sketches, whole, r.SketchSpace(), err
		}
	}
	return nil, nil, "", ctx.Err()
}

// EstimateSketches is Estimates of tasks of which there are only sketches. same is false when
// those of the last snapshot are of another space; there is nothing else then. Safe for
// concurrent use.
func (l *Learner) EstimateSketches(ctx context.Context, p event.ProjectID, space string, sketches [][]byte) (estimates [][]event.Estimate, version string, same bool, err error) {
	if s := l.snapshot(p); s != nil {
		if r := s.reader(); r.SketchSpace() == space {
			estimates, err = r.EstimateSketches(ctx, sketches)
			return estimates, s.status.Version, true, err
		}
	}
	return nil, "", false, ctx.Err()
}
