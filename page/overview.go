package page

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/api"
)

// card is a project in the overview.
type card struct {
	api.Project
	Quality []quality
	State   string
	Saved   *int
	// Suggested counts the annotations that began with a suggestion.
	Suggested int
}

// quality is how good the model of a control is, an accuracy with its interval.
type quality struct {
	Control             string
	Estimate, Low, High *float64
	Random              int
	Examples            int
	Recent              *float64
}

// Vague reports whether the interval says more than the estimate.
func (q quality) Vague() bool { return q.Estimate != nil && *q.High-*q.Low > 0.4 }

func qualities(p api.Project) (out []quality) {
	for _, h := range p.Heads {
		q := quality{Control: h.Control, Examples: h.Examples, Recent: h.RecentAccuracy}
		if a := h.PoolAccuracy; a != nil {
			q.Estimate, q.Low, q.High, q.Random = a.Estimate, a.Low, a.High, a.Random
		}
		out = append(out, q)
	}
	return out
}

// saved is how many labels the strategy has saved, over all controls; nil where that cannot be said yet.
func saved(p api.Project) *int {
	if p.Guard == nil {
		return nil
	}
	var sum *int
	for _, c := range p.Guard.Controls {
		if c.LabelsSaved != nil {
			if sum == nil {
				sum = new(int)
			}
			*sum += *c.LabelsSaved
		}
	}
	return sum
}

// stateOf says in a word how a project is.
func stateOf(p api.Project) string {
	switch {
	case p.LeftAlone != "":
		return "left alone: " + p.LeftAlone
	case len(p.Problems) > 0:
		return "needs attention"
	case p.Labels == 0:
		return "waiting for labels"
	case p.Settled:
		return "up to date"
	}
	return "learning"
}

func cardOf(p api.Project) card {
	s := p.Suggestions
	return card{Project: p, Quality: qualities(p), State: stateOf(p), Saved: saved(p), Suggested: s.Accepted + s.Changed + s.Rejected + s.Empty}
}

// overviewBody is what the overview's parts show.
type overviewBody struct {
	Cards    []card
	Problems []string
	Fault    error
}

func (s *Server) overviewParts(f *frame) ([]part, error) {
	body := overviewBody{Problems: f.listing.Problems, Fault: f.err}
	for _, p := range f.listing.Projects {
		body.Cards = append(body.Cards, cardOf(p))
	}
	cards, err := renderPart("cards", body)
	return []part{cards}, err
}

func (s *Server) overview(c *gin.Context) {
	f := s.frames.get()
	parts, err := s.partsOf(viewKey{}, f)
	if err != nil {
		s.failWith(c, err)
		return
	}
	s.render(c, http.StatusOK, "overview", layout{Title: "Projects", Frame: f.number, Live: true}, byName(parts))
}

func byName(parts []part) map[string]part {
	m := make(map[string]part, len(parts))
	for _, p := range parts {
		m[p.name] = p
	}
	return m
}
