package lstest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

func (s *Server) annotationRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /api/tasks/{id}/annotations/{$}", s.act(s.inTask(func(_ *request, t *task) result {
		rows := []obj{}
		for _, a := range t.notes {
			rows = append(rows, s.noteAPI(a))
		}
		return ok(rows)
	})))
	m.HandleFunc("POST /api/tasks/{id}/annotations/{$}", s.act(s.inTask(s.createNote)))
	m.HandleFunc("PATCH /api/annotations/{id}/{$}", s.act(s.inNote(s.patchNote)))
	m.HandleFunc("DELETE /api/annotations/{id}/{$}", s.act(s.inNote(func(r *request, a *annotation) result {
		s.removeNote(a)
		s.touch(a.task, r.user)
		return done().with(s.event(a.task.project, "ANNOTATIONS_DELETED", obj{"annotations": []obj{{"id": a.id}}}))
	})))
	m.HandleFunc("POST /api/annotations/{id}/convert-to-draft", s.act(s.inNote(func(r *request, a *annotation) result {
		s.removeNote(a)
		s.touch(a.task, r.user)
		return ok(obj{"id": s.id("draft"), "result": a.result, "task": a.task.id}) // no webhook: it vanishes in silence
	})))
}

func (s *Server) inNote(h func(*request, *annotation) result) action {
	return func(r *request) result {
		a, found := s.notes[r.id()]
		if !found {
			return missing("Annotation")
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

func (s *Server) newNote(t *task, u *user, b noteBody) *annotation {
	now := s.now()
	a := &annotation{id: s.id("annotation"), task: t, by: u, result: raw(b.Result), leadTime: b.LeadTime, parentPrediction: b.ParentPrediction, uniqueID: b.UniqueID, created: now, updated: now}
	if a.uniqueID == "" {
		a.uniqueID = fmt.Sprintf("00000000-0000-4000-8000-%012d", a.id)
	}
	set(&a.cancelled, b.Cancelled)
	set(&a.groundTruth, b.GroundTruth)
	s.notes[a.id] = a
	t.notes = append(t.notes, a)
	delete(t.locks, u)
	return a
}

func (s *Server) createNote(r *request, t *task) result {
	var b noteBody
	if bad := r.read(&b); bad != nil {
		return *bad
	}
	if b.UniqueID != "" {
		for _, a := range s.notes {
			if a.uniqueID == b.UniqueID {
				return failure(http.StatusConflict, "Annotation with this unique id already exists")
			}
		}
	}
	a := s.newNote(t, r.user, b)
	s.touch(t, r.user)
	return result{status: http.StatusCreated, body: s.noteAPI(a)}.with(s.noteEvent("ANNOTATION_CREATED", a))
}

func (s *Server) patchNote(r *request, a *annotation) result {
	var b noteBody
	if bad := r.read(&b); bad != nil {
		return *bad
	}
	if b.Result != nil {
		a.result = raw(b.Result)
	}
	set(&a.cancelled, b.Cancelled)
	set(&a.groundTruth, b.GroundTruth)
	if b.LeadTime != nil {
		a.leadTime = b.LeadTime
	}
	a.updated = s.now()
	s.touch(a.task, r.user)
	return ok(s.noteAPI(a)).with(s.noteEvent("ANNOTATION_UPDATED", a))
}

func (s *Server) noteEvent(action string, a *annotation) *event {
	return s.event(a.task.project, action, obj{"annotation": s.noteRow(a), "task": s.taskRow(a.task)})
}

// predictionsToAnnotations turns the first prediction of each task into an
// annotation nobody looked at: a parent, no lead time.
func (s *Server) predictionsToAnnotations(p *project, u *user, chosen []*task) *event {
	notes, tasks := []obj{}, []obj{}
	for _, t := range chosen {
		preds := t.preds
		if len(preds) == 0 {
			continue
		}
		a := s.newNote(t, u, noteBody{Result: preds[0].result, ParentPrediction: &preds[0].id})
		s.touch(t, u)
		notes, tasks = append(notes, s.noteRow(a)), append(tasks, s.taskRow(t))
	}
	return s.event(p, "ANNOTATIONS_CREATED", obj{"annotation": notes, "task": tasks})
}
