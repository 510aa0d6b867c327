package lstest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

func (s *Server) annotationRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /api/tasks/{id}/annotations/{$}", s.runAction(s.inTask(func(_ *apiRequest, t *task) apiResult {
		rows := []jsonObject{}
		for _, a := range t.notes {
			rows = append(rows, s.noteAPI(a))
		}
		return okResult(rows)
	})))
	m.HandleFunc("POST /api/tasks/{id}/annotations/{$}", s.runAction(s.inTask(s.createNote)))
	m.HandleFunc("PATCH /api/annotations/{id}/{$}", s.runAction(s.inNote(s.patchNote)))
	m.HandleFunc("DELETE /api/annotations/{id}/{$}", s.runAction(s.inNote(func(r *apiRequest, a *annotation) apiResult {
		s.removeNote(a)
		s.markUpdated(a.task, r.user)
		return noContent().withEvents(s.newEvent(a.task.project, "ANNOTATIONS_DELETED", jsonObject{"annotations": []jsonObject{{"id": a.id}}}))
	})))
	m.HandleFunc("POST /api/annotations/{id}/convert-to-draft", s.runAction(s.inNote(func(r *apiRequest, a *annotation) apiResult {
		s.removeNote(a)
		s.markUpdated(a.task, r.user)
		return okResult(jsonObject{"id": s.nextRowID("draft"), "result": a.result, "task": a.task.id}) // no webhook: it vanishes in silence
	})))
}

func (s *Server) inNote(h func(*apiRequest, *annotation) apiResult) apiAction {
	return func(r *apiRequest) apiResult {
		a, found := s.notes[r.pathID()]
		if !found {
			return notFound("Annotation")
		}
		return h(r, a)
	}
}

type noteBody struct {
	Result           json.RawMessage `json:"result"`
	Cancelled        *bool           `json:"was_cancelled"`
	GroundTruth      *bool           `json:"ground_truth"`
	LeadTime         *float64        `json:"lead_time"`
	ParentPrediction *int64          `json:"parent_prediction"`
	UniqueID         string          `json:"unique_id"`
}

func (s *Server) newNote(t *task, u *account, b noteBody) *annotation {
	now := s.now()
	a := &annotation{id: s.nextRowID("annotation"), task: t, by: u, result: rawOrNull(b.Result), leadTime: b.LeadTime, parentPrediction: b.ParentPrediction, uniqueID: b.UniqueID, created: now, updated: now}
	if a.uniqueID == "" {
		a.uniqueID = fmt.Sprintf("00000000-0000-4000-8000-%012d", a.id)
	}
	setIfGiven(&a.cancelled, b.Cancelled)
	setIfGiven(&a.groundTruth, b.GroundTruth)
	s.notes[a.id] = a
	t.notes = append(t.notes, a)
	delete(t.locks, u)
	return a
}

func (s *Server) createNote(r *apiRequest, t *task) apiResult {
	var b noteBody
	if bad := r.decodeBody(&b); bad != nil {
		return *bad
	}
	if b.UniqueID != "" {
		for _, a := range s.notes {
			if a.uniqueID == b.UniqueID {
				return failureResult(http.StatusConflict, "Annotation with this unique id already exists")
			}
		}
	}
	a := s.newNote(t, r.user, b)
	s.markUpdated(t, r.user)
	return apiResult{status: http.StatusCreated, body: s.noteAPI(a)}.withEvents(s.noteEvent("ANNOTATION_CREATED", a))
}

func (s *Server) patchNote(r *apiRequest, a *annotation) apiResult {
	var b noteBody
	if bad := r.decodeBody(&b); bad != nil {
		return *bad
	}
	if b.Result != nil {
		a.result = rawOrNull(b.Result)
	}
	setIfGiven(&a.cancelled, b.Cancelled)
	setIfGiven(&a.groundTruth, b.GroundTruth)
	if b.LeadTime != nil {
		a.leadTime = b.LeadTime
	}
	a.updated = s.now()
	s.markUpdated(a.task, r.user)
	return okResult(s.noteAPI(a)).withEvents(s.noteEvent("ANNOTATION_UPDATED", a))
}

func (s *Server) noteEvent(action string, a *annotation) *webhookEvent {
	return s.newEvent(a.task.project, action, jsonObject{"annotation": s.noteRow(a), "task": s.taskRow(a.task)})
}

// predictionsToAnnotations turns the first prediction of each task into an
// annotation nobody looked at: a parent, no lead time.
func (s *Server) predictionsToAnnotations(p *project, u *account, chosen []*task) *webhookEvent {
	notes, tasks := []jsonObject{}, []jsonObject{}
	for _, t := range chosen {
		preds := t.preds
		if len(preds) == 0 {
			continue
		}
		a := s.newNote(t, u, noteBody{Result: preds[0].result, ParentPrediction: &preds[0].id})
		s.markUpdated(t, u)
		notes, tasks = append(notes, s.noteRow(a)), append(tasks, s.taskRow(t))
	}
	return s.newEvent(p, "ANNOTATIONS_CREATED", jsonObject{"annotation": notes, "task": tasks})
}
