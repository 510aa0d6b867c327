package lstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

func (s *Server) projectRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /api/projects/{$}", s.act(s.listProjects))
	m.HandleFunc("POST /api/projects/{$}", s.act(s.createProject))
	m.HandleFunc("GET /api/projects/{id}/{$}", s.act(s.inProject(func(_ *request, p *project) result { return ok(s.projectAPI(p)) })))
	m.HandleFunc("PATCH /api/projects/{id}/{$}", s.act(s.inProject(s.patchProject)))
	m.HandleFunc("DELETE /api/projects/{id}/{$}", s.act(s.inProject(func(_ *request, p *project) result {
		s.removeProject(p) // its webhooks hear nothing
		return done()
	})))
	m.HandleFunc("GET /api/projects/{id}/model-versions/{$}", s.act(s.inProject(func(_ *request, p *project) result {
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
		return ok(count)
	})))
	m.HandleFunc("DELETE /api/projects/{id}/model-versions/{$}", s.act(s.inProject(s.deleteVersion)))
}

// inProject finds the project of the path.
func (s *Server) inProject(h func(*request, *project) result) action {
	return func(r *request) result {
		p, found := s.projects[r.id()]
		if !found {
			return missing("Project")
		}
		return h(r, p)
	}
}

func (s *Server) listProjects(r *request) result {
	all := sorted(s.projects, func(*project) bool { return true })
	page, size := intParam(r.URL.Query(), "page", 1), intParam(r.URL.Query(), "page_size", 30)
	from := (page - 1) * size
	if page < 1 || from > 0 && from >= len(all) {
		return failure(http.StatusNotFound, "Invalid page.")
	}
	rows := []obj{}
	for _, p := range all[from:min(from+size, len(all))] {
		rows = append(rows, s.projectAPI(p))
	}
	var next *string
	if from+size < len(all) {
		next = new(fmt.Sprintf("%s/api/projects/?page=%d", s.URL, page+1))
	}
	return ok(obj{"count": len(all), "next": next, "previous": nil, "results": rows})
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

func set[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

func (p projectPatch) apply(to *project) {
	set(&to.title, p.Title)
	set(&to.config, p.LabelConfig)
	set(&to.sampling, p.Sampling)
	set(&to.modelVersion, p.ModelVersion)
	set(&to.maxAnnotations, p.MaxAnnotations)
	set(&to.showPredictions, p.ShowPredictions)
	set(&to.evaluate, p.Evaluate)
	if p.ShowPredictions != nil && !*p.ShowPredictions {
		to.modelVersion = "" // hiding predictions forgets the version
	}
}

func (s *Server) createProject(r *request) result {
	var b projectPatch
	if bad := r.read(&b); bad != nil {
		return *bad
	}
	if b.Title == nil || len(strings.TrimSpace(*b.Title)) < 3 {
		return invalid("title", "Ensure this field has at least 3 characters.")
	}
	now := s.now()
	p := &project{
		id: s.id("project"), owner: r.user, created: now, updated: now, config: "<View></View>",
		sampling: "Sequential sampling", maxAnnotations: 1, showPredictions: true,
	}
	b.apply(p)
	s.projects[p.id] = p
	row := s.projectAPI(p)
	row["task_number"] = nil
	return result{status: http.StatusCreated, body: row}
}

func (s *Server) patchProject(r *request, p *project) result {
	var b projectPatch
	if bad := r.read(&b); bad != nil {
		return *bad
	}
	if v := b.ModelVersion; v != nil && *v != "" && *v != p.modelVersion && !s.versionExists(p, *v) {
		return invalid("model_version", "Model version doesn't exist either as live model or as static predictions.")
	}
	b.apply(p)
	p.updated = s.now()
	return ok(s.projectAPI(p)).with(s.event(p, "PROJECT_UPDATED", obj{}))
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

func (s *Server) deleteVersion(r *request, p *project) result {
	var b struct {
		Version string `json:"model_version"`
	}
	if bad := r.read(&b); bad != nil {
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
	return ok(obj{"deleted_predictions": n})
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

func raw(v json.RawMessage) json.RawMessage {
	if len(v) == 0 || string(v) == "null" {
		return json.RawMessage("[]")
	}
	return v
}
