package lstest

import (
	"math/rand/v2"
	"net/http"
	"slices"
)

func (s *Server) nextRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /api/projects/{id}/next/{$}", s.runAction(s.inProject(s.nextTask)))
}

// nextTask serves the label stream: the task that the user has locked, else the one that
// sampling chooses.
func (s *Server) nextTask(r *apiRequest, p *project) apiResult {
	var open []*task
	for _, t := range p.tasks {
		mine := slices.ContainsFunc(t.notes, func(a *annotation) bool { return a.by == r.user })
		if !mine && !isLabeled(t) {
			open = append(open, t)
		}
	}
	t, queue := s.chooseTask(p, r.user, open)
	if t == nil {
		return failureResult(http.StatusNotFound, "There are no tasks for "+r.user.email)
	}
	t.locks[r.user] = true
	row := s.taskFull(t)
	row["queue"], row["annotations"], row["drafts"] = queue, []jsonObject{}, []jsonObject{}
	return okResult(row)
}

func (s *Server) chooseTask(p *project, u *account, open []*task) (*task, string) {
	for _, t := range open {
		if t.locks[u] {
			return t, "Task lock"
		}
	}
	free := slices.DeleteFunc(slices.Clone(open), func(t *task) bool { return len(t.locks) >= t.project.maxAnnotations })
	if len(free) == 0 {
		return nil, ""
	}
	switch p.sampling {
	case "Uncertainty sampling":
		return s.uncertain(p, u, free), "Active learning or random queue"
	case "Uniform sampling":
		return free[rand.IntN(len(free))], "Uniform random queue"
	}
	return free[0], "Sequence queue"
}

// uncertain takes the lowest score of the project's version among the clusters
// the user has solved least, and anything when no task has such a prediction.
func (s *Server) uncertain(p *project, u *account, free []*task) *task {
	solved := map[int64]int{}
	for _, a := range s.notes {
		if a.by != u || a.task.project != p {
			continue
		}
		var highest *int64
		for _, x := range a.task.preds {
			if x.cluster != nil && (highest == nil || *x.cluster > *highest) {
				highest = x.cluster
			}
		}
		if highest != nil {
			solved[*highest]++
		}
	}
	var best *prediction
	rank := func(x *prediction) int {
		if x.cluster == nil {
			return 0
		}
		return solved[*x.cluster]
	}
	for _, t := range free {
		for _, x := range t.preds {
			if x.version != p.modelVersion {
				continue
			}
			if best == nil || rank(x) < rank(best) || rank(x) == rank(best) && byScore(x, best) < 0 {
				best = x
			}
		}
	}
	if best == nil {
		return free[rand.IntN(len(free))]
	}
	return best.task
}
