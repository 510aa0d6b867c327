package lstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

func (s *Server) predictionRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /api/predictions/{$}", s.act(s.listPreds))
	m.HandleFunc("POST /api/predictions/{$}", s.act(s.createPred))
	m.HandleFunc("GET /api/predictions/{id}/{$}", s.act(s.inPred(func(_ *request, p *prediction) result { return ok(predAPI(p)) })))
	m.HandleFunc("PATCH /api/predictions/{id}/{$}", s.act(s.inPred(s.patchPred)))
	m.HandleFunc("DELETE /api/predictions/{id}/{$}", s.act(s.inPred(func(_ *request, p *prediction) result {
		s.removePred(p)
		s.touch(p.task, nil)
		return done()
	})))
	m.HandleFunc("POST /api/projects/{id}/import/predictions", s.act(s.inProject(s.importPreds)))
}

func (s *Server) inPred(h func(*request, *prediction) result) action {
	return func(r *request) result {
		p, found := s.preds[r.id()]
		if !found {
			return missing("Prediction")
		}
		return h(r, p)
	}
}

type predBody struct {
	Task    int64           `json:"task"`
	Result  json.RawMessage `json:"result"`
	Score   *float64        `json:"score"`
	Version string          `json:"model_version"`
	Cluster *int64          `json:"cluster"`
}

func (s *Server) newPred(t *task, b predBody) *prediction {
	now := s.now()
	p := &prediction{id: s.id("prediction"), task: t, result: raw(b.Result), score: b.Score, version: b.Version, cluster: b.Cluster, created: now, updated: now}
	s.preds[p.id] = p
	t.preds = append(t.preds, p)
	return p
}

func (s *Server) listPreds(r *request) result {
	q := r.URL.Query()
	var include []string
	if v := q.Get("include"); v != "" {
		include = strings.Split(v, ",")
	}
	rows := []obj{}
	for _, p := range sorted(s.preds, func(p *prediction) bool { return p.task.project.id == int64(intParam(q, "project", 0)) }) {
		rows = append(rows, only(predAPI(p), include))
	}
	return ok(rows)
}

func (s *Server) createPred(r *request) result {
	var b predBody
	if bad := r.read(&b); bad != nil {
		return *bad
	}
	t, found := s.tasks[b.Task]
	if !found {
		return invalid("task", fmt.Sprintf("Invalid pk \"%d\" - object does not exist.", b.Task))
	}
	p := s.newPred(t, b)
	s.touch(t, nil) // a single prediction moves the task, a bulk import does not
	return result{status: http.StatusCreated, body: predAPI(p)}
}

func (s *Server) patchPred(r *request, p *prediction) result {
	var b predBody
	b.Version, b.Score, b.Cluster, b.Result = p.version, p.score, p.cluster, p.result
	if bad := r.read(&b); bad != nil {
		return *bad
	}
	p.version, p.score, p.cluster, p.result = b.Version, b.Score, b.Cluster, raw(b.Result)
	p.updated = s.now()
	s.touch(p.task, nil)
	return ok(predAPI(p))
}

// importPreds refuses the whole list for an unknown task, and drops what it does
// not like otherwise.
func (s *Server) importPreds(r *request, p *project) result {
	var list []predBody
	if bad := r.read(&list); bad != nil {
		return *bad
	}
	for _, b := range list {
		if t, found := s.tasks[b.Task]; !found || t.project != p {
			return invalid("non_field_errors", fmt.Sprintf("contains invalid \"task\" field: corresponding task ID couldn't be retrieved from project %s (id=%d) tasks", p.title, p.id))
		}
	}
	created := 0
	for _, b := range list {
		var regions []any
		if json.Unmarshal(raw(b.Result), &regions) != nil || b.Score != nil && (*b.Score < 0 || *b.Score > 1) {
			continue
		}
		if b.Version == "" {
			b.Version = "undefined"
		}
		s.newPred(s.tasks[b.Task], b)
		created++
	}
	return result{status: http.StatusCreated, body: obj{"created": created}}
}
