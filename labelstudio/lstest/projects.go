package lstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

func (s *Server) projectRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /api/projects/{$}", s.runAction(s.listProjects))
	m.HandleFunc("POST /api/projects/{$}", s.runAction(s.createProject))
	m.HandleFunc("GET /api/projects/{id}/{$}", s.runAction(s.inProject(func(_ *apiRequest, p *project) apiResult { return okResult(s.projectAPI(p)) })))
	m.HandleFunc("PATCH /api/projects/{id}/{$}", s.runAction(s.inProject(s.patchProject)))
	m.HandleFunc("DELETE /api/projects/{id}/{$}", s.runAction(s.inProject(func(_ *apiRequest, p *project) apiResult {
		s.removeProject(p) // its webhooks hear nothing
		return noContent()
	})))
	m.HandleFunc("GET /api/projects/{id}/model-versions/{$}", s.runAction(s.inProject(func(_ *apiRequest, p *project) apiResult {
		count := map[string]int{}
		for _, b := range s.backends {
			if b.project == p {
				count[b.title] = 0
			}
		}
		for _, t := range p.tasks {
			for _, x := range t.preds {
				count[x.version]++
			}
		}
		return okResult(count)
	})))
	m.HandleFunc("DELETE /api/projects/{id}/model-versions/{$}", s.runAction(s.inProject(s.deleteVersion)))
}

// inProject finds the project of the path.
func (s *Server) inProject(h func(*apiRequest, *project) apiResult) apiAction {
	return func(r *apiRequest) apiResult {
		p, found := s.projects[r.pathID()]
		if !found {
			return notFound("Project")
		}
		return h(r, p)
	}
}

func (s *Server) listProjects(r *apiRequest) apiResult {
	all := sortedRows(s.projects, func(*project) bool { return true })
	page, size := intParam(r.URL.Query(), "page", 1), intParam(r.URL.Query(), "page_size", 30)
	from := (page - 1) * size
	if page < 1 || from > 0 && from >= len(all) {
		return failureResult(http.StatusNotFound, "Invalid page.")
	}
	rows := []jsonObject{}
	for _, p := range all[from:min(from+size, len(all))] {
		rows = append(rows, s.projectAPI(p))
	}
	var next *string
	if from+size < len(all) {
		next = new(fmt.Sprintf("%s/api/projects/?page=%d", s.URL, page+1))
	}
	return okResult(jsonObject{"count": len(all), "next": next, "previous": nil, "results": rows})
}

type projectPatch struct {
	Title           *string `json:"title"`
	LabelConfig     *string `json:"label_config"`
	Sampling        *string `json:"sampling"`
	ModelVersion    *string `json:"model_version"`
	MaxAnnotations  *int    `json:"maximum_annotations"`
	ShowPredictions *bool   `json:"show_collab_predictions"`
	Evaluate        *bool   `json:"evaluate_predictions_automatically"`
}

func setIfGiven[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

func (p projectPatch) patch(to *projectColumns) {
	setIfGiven(&to.title, p.Title)
	setIfGiven(&to.config, p.LabelConfig)
	setIfGiven(&to.sampling, p.Sampling)
	setIfGiven(&to.modelVersion, p.ModelVersion)
	setIfGiven(&to.maxAnnotations, p.MaxAnnotations)
	setIfGiven(&to.showPredictions, p.ShowPredictions)
	setIfGiven(&to.evaluate, p.Evaluate)
	if p.ShowPredictions != nil && !*p.ShowPredictions {
		to.modelVersion = "" // hiding predictions forgets the version
	}
}

func (s *Server) createProject(r *apiRequest) apiResult {
	var b projectPatch
	if bad := r.decodeBody(&b); bad != nil {
		return *bad
	}
	if b.Title == nil || len(strings.TrimSpace(*b.Title)) < 3 {
		return invalidField("title", "Ensure this field has at least 3 characters.")
	}
	now := s.now()
	p := &project{
		id: s.nextRowID("project"), owner: r.user, created: now, updated: now,
		projectColumns: projectColumns{config: "<View></View>", sampling: "Sequential sampling", maxAnnotations: 1, showPredictions: true},
	}
	b.patch(&p.projectColumns)
	s.projects[p.id] = p
	row := s.projectAPI(p)
	row["task_number"] = nil
	return apiResult{status: http.StatusCreated, body: row}
}

// patchProject reads the whole row of a project, changes fields and saves the whole row, as
// Label Studio does. OnProjectSave lets others in between.
func (s *Server) patchProject(r *apiRequest, p *project) apiResult {
	var b projectPatch
	if bad := r.decodeBody(&b); bad != nil {
		return *bad
	}
	if v := b.ModelVersion; v != nil && *v != "" && *v != p.modelVersion && !s.versionExists(p, *v) {
		return invalidField("model_version", "Model version doesn't exist either as live model or as static predictions.")
	}
	row := p.projectColumns
	b.patch(&row)
	if wait := s.onProjectSave; wait != nil {
		s.mu.Unlock()
		wait(r.body)
		s.mu.Lock()
		if s.projects[p.id] != p {
			return notFound("Project")
		}
	}
	p.projectColumns = row
	p.updated = s.now()
	return okResult(s.projectAPI(p)).withEvents(s.newEvent(p, "PROJECT_UPDATED", jsonObject{}))
}

func (s *Server) versionExists(p *project, version string) bool {
	for _, b := range s.backends {
		if b.project == p && b.title == version {
			return true
		}
	}
	for _, x := range s.preds {
		if x.task.project == p && x.version == version {
			return true
		}
	}
	return false
}

func (s *Server) deleteVersion(r *apiRequest, p *project) apiResult {
	var b struct {
		Version string `json:"model_version"`
	}
	if bad := r.decodeBody(&b); bad != nil {
		return *bad
	}
	n := 0
	for _, x := range s.preds {
		if x.task.project == p && x.version == b.Version {
			s.removePred(x)
			n++
		}
	}
	if p.modelVersion == b.Version {
		p.modelVersion = ""
	}
	return okResult(jsonObject{"deleted_predictions": n})
}

func (s *Server) removeProject(p *project) {
	for _, t := range p.tasks {
		s.removeTask(t)
	}
	for id, h := range s.hooks {
		if h.project == p {
			delete(s.hooks, id)
		}
	}
	for id, b := range s.backends {
		if b.project == p {
			delete(s.backends, id)
		}
	}
	delete(s.projects, p.id)
}

func rawOrNull(v json.RawMessage) json.RawMessage {
	if len(v) == 0 || string(v) == "null" {
		return json.RawMessage("[]")
	}
	return v
}
