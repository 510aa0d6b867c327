package lstest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

type project struct {
	id                    int64
	owner                 *account
	created, updated      time.Time
	minAnnotationsToTrain int
	tasks                 []*task // by id
	projectColumns
}

// projectColumns are what a request may change of a project.
type projectColumns struct {
	title, config   string
	modelVersion    string
	sampling        string
	maxAnnotations  int
	showPredictions bool
	evaluate        bool
}

type task struct {
	id, inner        int64
	project          *project
	data             json.RawMessage
	created, updated time.Time
	updatedBy        *int64
	locks            map[*account]bool
	notes            []*annotation // by id
	preds            []*prediction // by id
}

type annotation struct {
	id               int64
	task             *task
	by               *account
	result           json.RawMessage
	cancelled        bool
	groundTruth      bool
	leadTime         *float64
	parentPrediction *int64
	uniqueID         string
	created, updated time.Time
}

type prediction struct {
	id               int64
	task             *task
	result           json.RawMessage
	score            *float64
	version          string
	cluster          *int64
	created, updated time.Time
}

// sortedRows returns the values of a table that pass, by id.
func sortedRows[T any](table map[int64]T, pass func(T) bool) []T {
	ids := make([]int64, 0, len(table))
	for id, v := range table {
		if pass(v) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	out := make([]T, len(ids))
	for i, id := range ids {
		out[i] = table[id]
	}
	return out
}

// isLabeled computes Label Studio's is_labeled: enough people annotated the task, skips not
// counted.
func isLabeled(t *task) bool {
	done, _ := t.countAnnotations()
	return done >= t.project.maxAnnotations
}

func (t *task) countAnnotations() (done, cancelled int) {
	for _, a := range t.notes {
		if a.cancelled {
			cancelled++
		} else {
			done++
		}
	}
	return done, cancelled
}

// projectRow returns a project as webhooks send it: the whole row, secrets included.
func (s *Server) projectRow(p *project) jsonObject {
	notes, skipped := 0, 0
	for _, t := range p.tasks {
		done, cancelled := t.countAnnotations()
		notes, skipped = notes+done, skipped+cancelled
	}
	return jsonObject{
		"id": p.id, "title": p.title, "description": "", "label_config": p.config, "parsed_label_config": jsonObject{},
		"created_at": formatTime(p.created), "updated_at": formatTime(p.updated), "model_version": p.modelVersion,
		"sampling": p.sampling, "maximum_annotations": p.maxAnnotations, "show_collab_predictions": p.showPredictions,
		"evaluate_predictions_automatically": p.evaluate, "min_annotations_to_start_training": p.minAnnotationsToTrain,
		"task_number": len(p.tasks), "total_annotations_number": notes, "skipped_annotations_number": skipped, "token": "project-token-secret",
		"task_data_login": nil, "task_data_password": nil, "skip_queue": "REQUEUE_FOR_OTHERS", "is_draft": false,
		"is_published": false, "organization": 1, "created_by": p.owner.id, "deleted_at": nil,
	}
}

// projectAPI returns a project as the API answers it.
func (s *Server) projectAPI(p *project) jsonObject {
	row := s.projectRow(p)
	delete(row, "token")
	row["created_by"] = jsonObject{"id": p.owner.id, "email": p.owner.email}
	return row
}

func (s *Server) projectUID(p *project) string { return fmt.Sprintf("%d.%d", p.id, p.created.Unix()) }

func (s *Server) taskRow(t *task) jsonObject {
	done, cancelled := t.countAnnotations()
	return jsonObject{
		"id": t.id, "data": t.data, "meta": jsonObject{}, "created_at": formatTime(t.created), "updated_at": formatTime(t.updated),
		"is_labeled": isLabeled(t), "allow_skip": true, "overlap": t.project.maxAnnotations, "inner_id": t.inner,
		"total_annotations": done, "cancelled_annotations": cancelled, "total_predictions": len(t.preds),
		"precomputed_agreement": nil, "comment_count": 0, "unresolved_comment_count": 0, "last_comment_updated_at": nil,
		"project": t.project.id, "updated_by": t.updatedBy, "file_upload": nil, "comment_authors": []int{},
	}
}

// taskFull returns a task with what /predict and reads of the API add.
func (s *Server) taskFull(t *task) jsonObject {
	row := s.taskRow(t)
	delete(row, "allow_skip")
	delete(row, "precomputed_agreement")
	notes, preds := []jsonObject{}, []jsonObject{}
	for _, a := range t.notes {
		notes = append(notes, s.noteAPI(a))
	}
	for _, p := range t.preds {
		preds = append(preds, predAPI(p))
	}
	row["annotations"], row["predictions"] = notes, preds
	return row
}

// noteAPI is an annotation as the API writes it; a webhook has three keys more.
func (s *Server) noteAPI(a *annotation) jsonObject {
	return jsonObject{
		"id": a.id, "result": a.result, "was_cancelled": a.cancelled, "ground_truth": a.groundTruth,
		"created_at": formatTime(a.created), "updated_at": formatTime(a.updated), "draft_created_at": nil, "lead_time": a.leadTime,
		"import_id": nil, "last_action": nil, "bulk_created": false, "task": a.task.id, "project": a.task.project.id,
		"completed_by": a.by.id, "updated_by": a.by.id, "parent_prediction": a.parentPrediction, "parent_annotation": nil,
		"last_created_by": nil,
	}
}

func (s *Server) noteRow(a *annotation) jsonObject {
	row := s.noteAPI(a)
	var regions []any
	_ = json.Unmarshal(a.result, &regions)
	row["unique_id"], row["result_count"], row["prediction"] = a.uniqueID, len(regions), jsonObject{}
	for _, p := range a.task.preds {
		if p.version == a.task.project.modelVersion {
			row["prediction"] = predAPI(p)
			break
		}
	}
	return row
}

func predAPI(p *prediction) jsonObject {
	return jsonObject{
		"id": p.id, "result": p.result, "model_version": p.version, "score": p.score, "cluster": p.cluster, "neighbors": nil,
		"mislabeling": 0.0, "created_at": formatTime(p.created), "updated_at": formatTime(p.updated), "task": p.task.id,
		"project": p.task.project.id,
	}
}

// markUpdated sets a task's updated_at to now.
func (s *Server) markUpdated(t *task, u *account) {
	t.updated = s.now()
	if u != nil {
		t.updatedBy = &u.id
	}
}

func (s *Server) removeTask(t *task) {
	for _, a := range t.notes {
		delete(s.notes, a.id)
	}
	for _, p := range t.preds {
		delete(s.preds, p.id)
	}
	t.notes, t.preds = nil, nil
	delete(s.tasks, t.id)
	t.project.tasks = removeFrom(t.project.tasks, t)
}

func (s *Server) removeNote(a *annotation) {
	delete(s.notes, a.id)
	a.task.notes = removeFrom(a.task.notes, a)
}

// removePred deletes a prediction; annotations that were made from it forget it.
func (s *Server) removePred(p *prediction) {
	delete(s.preds, p.id)
	for _, a := range s.notes {
		if a.parentPrediction != nil && *a.parentPrediction == p.id {
			a.parentPrediction = nil
		}
	}
	p.task.preds = removeFrom(p.task.preds, p)
}

// removeFrom returns a copy of list without x, so that a loop over the old list may remove.
func removeFrom[T comparable](list []T, x T) []T {
	out := make([]T, 0, len(list))
	for _, y := range list {
		if y != x {
			out = append(out, y)
		}
	}
	return out
}

// keepFields keeps the fields that Label Studio's include parameter names, in the object and
// in the lists of objects inside it.
func keepFields(o jsonObject, names []string) jsonObject {
	if len(names) == 0 {
		return o
	}
	out := jsonObject{}
	for k, v := range o {
		if !slices.Contains(names, k) {
			continue
		}
		if list, ok := v.([]jsonObject); ok {
			kept := make([]jsonObject, len(list))
			for i, x := range list {
				kept[i] = keepFields(x, names)
			}
			v = kept
		}
		out[k] = v
	}
	return out
}

// byScore orders as Label Studio on SQLite does: rows without a score first, then the lowest.
func byScore(a, b *prediction) int {
	switch {
	case a.score == nil && b.score == nil:
		return cmp.Compare(a.id, b.id)
	case a.score == nil:
		return -1
	case b.score == nil:
		return 1
	}
	return cmp.Or(cmp.Compare(*a.score, *b.score), cmp.Compare(a.id, b.id))
}
