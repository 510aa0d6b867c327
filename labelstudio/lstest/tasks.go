package lstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (s *Server) taskRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /api/tasks/{$}", s.runAction(s.listTasks))
	m.HandleFunc("GET /api/tasks/{id}/{$}", s.withAccount(s.getTask))
	m.HandleFunc("PATCH /api/tasks/{id}/{$}", s.runAction(s.inTask(s.patchTask)))
	m.HandleFunc("DELETE /api/tasks/{id}/{$}", s.runAction(s.inTask(func(_ *apiRequest, t *task) apiResult {
		s.removeTask(t)
		return noContent().withEvents(s.newEvent(t.project, "TASKS_DELETED", jsonObject{"tasks": []jsonObject{{"id": t.id}}}))
	})))
	m.HandleFunc("POST /api/projects/{id}/import", s.runAction(s.inProject(s.importTasks)))
	m.HandleFunc("POST /api/dm/actions/{$}", s.withAccount(s.dataManager))
}

func (s *Server) inTask(h func(*apiRequest, *task) apiResult) apiAction {
	return func(r *apiRequest) apiResult {
		t, found := s.tasks[r.pathID()]
		if !found {
			return notFound("Task")
		}
		return h(r, t)
	}
}

type taskFilter struct {
	Filter, Operator, Type string
	Value                  json.RawMessage
}

// matches knows the filters hone uses; any other is an error, not "all".
func (f taskFilter) matches(t *task) (bool, error) {
	switch f.Filter + " " + f.Operator {
	case "filter:tasks:id greater":
		var id int64
		err := json.Unmarshal(f.Value, &id)
		return t.id > id, err
	case "filter:tasks:updated_at greater", "filter:tasks:updated_at greater_or_equal":
		var v string
		if err := json.Unmarshal(f.Value, &v); err != nil {
			return false, err
		}
		since, err := time.Parse("2006-01-02T15:04:05.000000Z", v)
		if err != nil {
			return false, err
		}
		return t.updated.After(since) || f.Operator == "greater_or_equal" && t.updated.Equal(since), nil
	}
	return false, fmt.Errorf("the stand-in does not know the filter %s %s", f.Filter, f.Operator)
}

func (s *Server) listTasks(r *apiRequest) apiResult {
	q := r.URL.Query()
	p, found := s.projects[int64(intParam(q, "project", 0))]
	if !found {
		return notFound("Project")
	}
	var query struct {
		Filters  struct{ Items []taskFilter }
		Ordering []string
	}
	if v := q.Get("query"); v != "" {
		if err := json.Unmarshal([]byte(v), &query); err != nil {
			return failureResult(http.StatusBadRequest, err.Error())
		}
	}
	var chosen []*task
	for _, t := range p.tasks {
		keep := true
		for _, f := range query.Filters.Items {
			is, err := f.matches(t)
			if err != nil {
				return failureResult(http.StatusNotImplemented, err.Error())
			}
			keep = keep && is
		}
		if keep {
			chosen = append(chosen, t)
		}
	}
	switch strings.Join(query.Ordering, ",") {
	case "", "tasks:id":
	case "tasks:updated_at":
		slices.SortStableFunc(chosen, func(a, b *task) int { return a.updated.Compare(b.updated) })
	default:
		return failureResult(http.StatusNotImplemented, "the stand-in does not know this ordering")
	}
	return s.taskPage(r, chosen)
}

func (s *Server) taskPage(r *apiRequest, chosen []*task) apiResult {
	q := r.URL.Query()
	page, size := intParam(q, "page", 1), intParam(q, "page_size", 100)
	from := (page - 1) * size
	if page < 1 || from > 0 && from >= len(chosen) {
		return failureResult(http.StatusNotFound, "Invalid page.")
	}
	var include []string
	if v := q.Get("include"); v != "" {
		include = strings.Split(v, ",")
	}
	rows, notes, preds := []jsonObject{}, 0, 0
	for _, t := range chosen {
		notes += len(t.notes)
		preds += len(t.preds)
	}
	for _, t := range chosen[from:min(from+size, len(chosen))] {
		row := s.taskFull(t)
		row["drafts"], row["annotations_ids"] = []jsonObject{}, ""
		if q.Get("fields") == "all" {
			row["annotations_ids"] = s.noteIDs(t)
		} else {
			delete(row, "annotations")
			delete(row, "predictions")
		}
		rows = append(rows, keepFields(row, include))
	}
	return okResult(jsonObject{"tasks": rows, "total": len(chosen), "total_annotations": notes, "total_predictions": preds})
}

// noteIDs returns a column of the grid: cut at 500 characters, in no order.
func (s *Server) noteIDs(t *task) string {
	var ids []string
	for _, a := range t.notes {
		ids = append(ids, fmt.Sprint(a.id))
	}
	slices.Reverse(ids)
	all := strings.Join(ids, ",")
	return all[:min(len(all), 500)]
}

// getTask asks the ML backend first when the task has no prediction and the
// project shows them, as opening a task in the browser does.
func (s *Server) getTask(r *apiRequest) apiResult {
	s.mu.Lock()
	t, found := s.tasks[r.pathID()]
	ask := found && t.project.showPredictions && len(t.preds) == 0
	s.mu.Unlock()
	if !found {
		return notFound("Task")
	}
	if ask {
		s.predictTasks(t.project, []*task{t})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.taskFull(t)
	for i, a := range t.notes {
		row["annotations"].([]jsonObject)[i]["completed_by"] = jsonObject{"id": a.by.id, "email": a.by.email}
	}
	return okResult(row)
}

func (s *Server) patchTask(r *apiRequest, t *task) apiResult {
	var b struct{ Data json.RawMessage }
	if bad := r.decodeBody(&b); bad != nil {
		return *bad
	}
	if b.Data != nil {
		t.data = b.Data
	}
	s.markUpdated(t, r.user)
	return okResult(s.taskRow(t)) // no webhook
}

func (s *Server) importTasks(r *apiRequest, p *project) apiResult {
	var items []struct {
		Data        json.RawMessage
		Annotations []noteBody
		Predictions []predBody
	}
	if bad := r.decodeBody(&items); bad != nil {
		return *bad
	}
	var bare []json.RawMessage
	if bad := r.decodeBody(&bare); bad != nil {
		return *bad
	}
	if len(items) == 0 {
		return invalidField("non_field_errors", "load_tasks: No data found in DATA or in FILES")
	}
	ids, rows, notes := []int64{}, []jsonObject{}, 0
	for i, item := range items {
		if item.Data == nil {
			item.Data = bare[i]
		}
		t := s.newTask(p, item.Data)
		for _, a := range item.Annotations {
			s.newNote(t, r.user, a) // no webhook of their own
			notes++
		}
		for _, b := range item.Predictions {
			s.newPred(t, b)
			if p.modelVersion == "" {
				p.modelVersion = b.Version
			}
		}
		ids, rows = append(ids, t.id), append(rows, s.taskRow(t))
	}
	res := apiResult{status: http.StatusCreated, body: jsonObject{"task_count": len(ids), "annotation_count": notes, "task_ids": ids}}
	return res.withEvents(s.newEvent(p, "TASKS_CREATED", jsonObject{"tasks": rows}))
}

func (s *Server) newTask(p *project, data json.RawMessage) *task {
	now := s.now()
	t := &task{id: s.nextRowID("task"), project: p, data: data, created: now, updated: now, locks: map[*account]bool{}, inner: int64(len(p.tasks) + 1)}
	s.tasks[t.id] = t
	p.tasks = append(p.tasks, t)
	return t
}

// dataManager runs an action over selected tasks.
func (s *Server) dataManager(r *apiRequest) apiResult {
	var b struct {
		SelectedItems struct {
			All                bool
			Included, Excluded []int64
		}
	}
	if bad := r.decodeBody(&b); bad != nil {
		return *bad
	}
	s.mu.Lock()
	p, found := s.projects[int64(intParam(r.URL.Query(), "project", 0))]
	var chosen []*task
	if found {
		chosen = slices.DeleteFunc(slices.Clone(p.tasks), func(t *task) bool {
			if b.SelectedItems.All {
				return slices.Contains(b.SelectedItems.Excluded, t.id)
			}
			return !slices.Contains(b.SelectedItems.Included, t.id)
		})
	}
	s.mu.Unlock()
	if !found {
		return notFound("Project")
	}
	var sent *webhookEvent
	switch id := r.URL.Query().Get("id"); id {
	case "retrieve_tasks_predictions":
		s.predictTasks(p, chosen) // 200 whatever comes of it
	case "delete_tasks_predictions":
		s.locked(func() {
			for _, t := range chosen {
				for _, x := range t.preds {
					s.removePred(x)
				}
			}
		})
	case "delete_tasks":
		rows := []jsonObject{}
		s.locked(func() {
			for _, t := range chosen {
				s.removeTask(t)
				rows = append(rows, jsonObject{"id": t.id})
			}
			sent = s.newEvent(p, "TASKS_DELETED", jsonObject{"tasks": rows})
		})
	case "delete_tasks_annotations":
		rows := []jsonObject{}
		s.locked(func() {
			for _, t := range chosen {
				for _, a := range t.notes {
					s.removeNote(a)
					rows = append(rows, jsonObject{"id": a.id})
				}
				s.markUpdated(t, r.user)
			}
			sent = s.newEvent(p, "ANNOTATIONS_DELETED", jsonObject{"annotations": rows})
		})
	case "predictions_to_annotations":
		s.locked(func() { sent = s.predictionsToAnnotations(p, r.user, chosen) })
	default:
		return failureResult(http.StatusNotImplemented, "the stand-in does not know the action "+id)
	}
	s.deliver(sent)
	return okResult(jsonObject{"processed_items": len(chosen)})
}
