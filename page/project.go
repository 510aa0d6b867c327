package page

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

// projectBody is what a project's parts show.
type projectBody struct {
	card
	// Changer: whoever looks may change something.
	Changer  bool
	Link     string // to the project in Label Studio
	Queue    []queued
	Curves   []curve
	Versions []api.Version
	Meanings []api.DescribedControl
	Progress []progress
	Token    string // stands for the form token of whoever looks
}

// queued is a place in the queue.
type queued struct {
	Place      int
	Task       event.TaskID
	Text       string
	Suggested  string
	Confidence *float64
	Why        string
	Link       string
	Pushed     bool
}

// curve is how the accuracy of a control rose with its labels.
type curve struct {
	Control string
	// Data is what the script draws: [labels, estimate, low, high, of asked tasks], each a list
	// with null where it is not known.
	Data   string
	Points []curvePoint
}

type curvePoint struct {
	Labels                     int
	Estimate, Low, High, Asked *float64
}

// progress is work under way.
type progress struct {
	What string
	// Share is done, 0 to 1; Text says it with the time left.
	Share float64
	Text  string
}

func (s *Server) projectParts(key viewKey, f *frame, before *detail) (parts []part, d *detail, err error) {
	if d, err = s.frames.project(f, key.project, before); err != nil {
		return nil, before, err
	}
	body := projectBody{card: cardOf(d.project), Changer: key.changer, Token: s.placeholder, Versions: slices.Clone(d.versions), Meanings: d.meanings.Controls}
	slices.Reverse(body.Versions)
	base := s.o.LabelStudio.URL()
	if base != "" {
		body.Link = fmt.Sprintf("%s/projects/%d/data", base, key.project)
	}
	body.Queue = queueOf(d, body.Link)
	body.Curves = curvesOf(d.history)
	body.Progress = progressOf(d.project)
	for _, name := range []string{"facts", "progress", "curve", "queue", "classes", "versions", "settings", "health"} {
		p, err := renderPart(name, body)
		if err != nil {
			return nil, d, err
		}
		parts = append(parts, p)
	}
	return parts, d, nil
}

func queueOf(d *detail, link string) (out []queued) {
	q := d.project.Queue
	for i, t := range q.Tasks {
		row := queued{Place: i + 1, Task: t, Pushed: i < q.Pushed}
		if i < len(d.shown) {
			row.Text, row.Suggested = d.shown[i].Text, d.shown[i].Suggested
		}
		if i < len(q.Confidences) {
			row.Confidence = q.Confidences[i]
		}
		if i < len(q.Reasons) {
			row.Why = q.Reasons[i].Text
		}
		if link != "" {
			row.Link = fmt.Sprintf("%s?task=%d", link, t)
		}
		out = append(out, row)
	}
	return out
}

func curvesOf(h api.AccuracyHistory) (out []curve) {
	at := map[string]int{}
	of := func(control string) *curve {
		i, ok := at[control]
		if !ok {
			i = len(out)
			at[control] = i
			out = append(out, curve{Control: control})
		}
		return &out[i]
	}
	for _, p := range h.Points {
		row := func(control string) *curvePoint {
			c := of(control)
			if n := len(c.Points); n == 0 || c.Points[n-1].Labels != p.Labels {
				c.Points = append(c.Points, curvePoint{Labels: p.Labels})
			}
			return &c.Points[len(c.Points)-1]
		}
		for control, a := range p.Pool {
			r := row(control)
			r.Estimate, r.Low, r.High = a.Estimate, a.Low, a.High
		}
		for control, a := range p.Asked {
			row(control).Asked = &a
		}
	}
	slices.SortFunc(out, func(a, b curve) int { return cmp.Compare(a.Control, b.Control) })
	for i := range out {
		var data [5][]*float64
		for _, p := range out[i].Points {
			for j, v := range []*float64{new(float64(p.Labels)), p.Estimate, p.Low, p.High, p.Asked} {
				data[j] = append(data[j], v)
			}
		}
		b, err := json.Marshal(data)
		if err != nil {
			continue // a number that is none: there is nothing to draw
		}
		out[i].Data = string(b)
	}
	return out
}

func progressOf(p api.Project) (out []progress) {
	add := func(what string, done, total int, left float64) {
		if total <= 0 {
			return
		}
		text := fmt.Sprintf("%s of %s", count(done), count(total))
		if left > 0 {
			text += ", about " + roughly(left) + " left"
		}
		out = append(out, progress{what, float64(done) / float64(total), text})
	}
	if r := p.Reconcile; r != nil && r.Running {
		add("Comparing with Label Studio", r.Read, r.Total, r.SecondsLeft)
	}
	if e := p.Encoding; e != nil && !e.Done {
		add("Encoding texts", e.Encoded, e.Tasks, e.SecondsLeft)
	}
	if r := p.Retrain; r.Running {
		out = append(out, progress{"Retraining", r.Progress, fmt.Sprintf("%.0f %%", 100*r.Progress)})
	} else if r.Waiting != "" {
		out = append(out, progress{"A retrain waits", 0, r.Waiting})
	}
	if q := p.Predictions; q != nil && q.Prelabel != nil && q.Prelabel.Done == nil && q.Prelabel.Fault == "" {
		add("Making predictions for all tasks", q.Prelabel.Predicted+q.Prelabel.Abstained+q.Prelabel.Refused, q.Prelabel.Tasks, 0)
	}
	if a := p.Adapted; a != nil && a.AdaptingTo > 0 {
		out = append(out, progress{"Adapting the transformer", 0, fmt.Sprintf("to the first %d labels", a.AdaptingTo)})
	}
	if p.Backlog > 0 {
		out = append(out, progress{"Learning", 0, plural(int(min(p.Backlog, 1<<30)), "change waits", "changes wait")})
	}
	return out
}

// projectID is the project in an address; ok is false after an answer.
func (s *Server) projectID(c *gin.Context) (id event.ProjectID, ok bool) {
	n, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || n <= 0 {
		s.fail(c, http.StatusNotFound, "A project's number is a positive whole number.")
		return 0, false
	}
	return event.ProjectID(n), true
}

func (s *Server) project(c *gin.Context) {
	id, ok := s.projectID(c)
	if !ok {
		return
	}
	f := s.frames.get()
	parts, err := s.partsOf(viewKey{project: id, changer: s.o.Admits(c.Request, access.Admin)}, f)
	if err != nil {
		s.failWith(c, err)
		return
	}
	title := fmt.Sprintf("Project %d", id)
	for _, p := range f.listing.Projects {
		if p.ID == id && p.Title != "" {
			title = p.Title
		}
	}
	s.render(c, http.StatusOK, "project", layout{Title: title, Project: id, Frame: f.number, Live: true}, byName(parts))
}
