package lstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

func (s *Server) predictionRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /api/predictions/{$}", s.runAction(s.listPreds))
	m.HandleFunc("POST /api/predictions/{$}", s.runAction(s.createPred))
	m.HandleFunc("GET /api/predictions/{id}/{$}", s.runAction(s.inPred(func(_ *apiRequest, p *prediction) apiResult { return okResult(predAPI(p)) })))
	m.HandleFunc("PATCH /api/predictions/{id}/{$}", s.runAction(s.inPred(s.patchPred)))
	m.HandleFunc("DELETE /api/predictions/{id}/{$}", s.runAction(s.inPred(func(_ *apiRequest, p *prediction) apiResult {
		s.removePred(p)
		s.markUpdated(p.task, nil)
		return noContent()
	})))
	m.HandleFunc("POST /api/projects/{id}/import/predictions", s.runAction(s.inProject(s.importPreds)))
}

func (s *Server) inPred(h func(*apiRequest, *prediction) apiResult) apiAction {
	return func(r *apiRequest) apiResult {
		p, found := s.preds[r.pathID()]
		if !found {
			return notFound("Prediction")
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
	p := &prediction{id: s.nextRowID("prediction"), task: t, result: rawOrNull(b.Result), score: b.Score, version: b.Version, cluster: b.Cluster, created: now, updated: now}
	s.preds[p.id] = p
	t.preds = append(t.preds, p)
	return p
}

func (s *Server) listPreds(r *apiRequest) apiResult {
	q := r.URL.Query()
	var include []string
	if v := q.Get("include"); v != "" {
		include = strings.Split(v, ",")
	}
	rows := []jsonObject{}
	for _, p := range sortedRows(s.preds, func(p *prediction) bool { return p.task.project.id == int64(intParam(q, "project", 0)) }) {
		rows = append(rows, keepFields(predAPI(p), include))
	}
	return okResult(rows)
}

func (s *Server) createPred(r *apiRequest) apiResult {
	var b predBody
	if bad := r.decodeBody(&b); bad != nil {
		return *bad
	}
	t, found := s.tasks[b.Task]
	if !found {
		return invalidField("task", fmt.Sprintf("Invalid pk \"%d\" - object does not exist.", b.Task))
	}
	p := s.newPred(t, b)
	s.markUpdated(t, nil) // a single prediction moves the task, a bulk import does not
	return apiResult{status: http.StatusCreated, body: predAPI(p)}
}

func (s *Server) patchPred(r *apiRequest, p *prediction) apiResult {
	var b predBody
	// Decoding writes into the memory that it finds, which a backup may share.
	b.Version, b.Score, b.Cluster, b.Result = p.version, copyOf(p.score), copyOf(p.cluster), bytes.Clone(p.result)
	if bad := r.decodeBody(&b); bad != nil {
		return *bad
	}
	p.version, p.score, p.cluster, p.result = b.Version, b.Score, b.Cluster, rawOrNull(b.Result)
	p.updated = s.now()
	s.markUpdated(p.task, nil)
	return okResult(predAPI(p))
}

// importPreds refuses the whole list for an unknown task, and drops other invalid items
// silently.
func (s *Server) importPreds(r *apiRequest, p *project) apiResult {
	var list []predBody
	if bad := r.decodeBody(&list); bad != nil {
		return *bad
	}
	for _, b := range list {
		if t, found := s.tasks[b.Task]; !found || t.project != p {
			return invalidField("non_field_errors", fmt.Sprintf("contains invalid \"task\" field: corresponding task ID couldn't be retrieved from project %s (id=%d) tasks", p.title, p.id))
		}
	}
	created := 0
	for _, b := range list {
		var regions []any
		if json.Unmarshal(rawOrNull(b.Result), &regions) != nil || b.Score != nil && (*b.Score < 0 || *b.Score > 1) {
			continue
		}
		if b.Version == "" {
			b.Version = "undefined"
		}
		s.newPred(s.tasks[b.Task], b)
		created++
	}
	return apiResult{status: http.StatusCreated, body: jsonObject{"created": created}}
}

// copyOf points to a value of its own, nil where p is.
func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	return new(*p)
}
