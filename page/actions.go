package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

// publish puts an order into the log and leads back to the project.
func (s *Server) publish(c *gin.Context, order func(event.ProjectID) event.Event) {
	id, ok := s.projectID(c)
	if !ok {
		return
	}
	if _, err := s.o.Projects.Get(c, id); err != nil {
		s.failWith(c, err)
		return
	}
	if err := s.o.Publisher.Publish(c, order(id)); err != nil {
		s.failWith(c, err)
		return
	}
	s.toProject(c)
}

// toProject leads back to the project of the address, anew.
func (s *Server) toProject(c *gin.Context) {
	s.frames.renew()
	back(c, "projects/"+c.Param("id"))
}

func (s *Server) retrain(c *gin.Context) {
	s.publish(c, func(id event.ProjectID) event.Event {
		return &event.RetrainDue{Project: id, At: s.o.Now(), Reason: "command"}
	})
}

func (s *Server) rollback(c *gin.Context) {
	s.publish(c, func(id event.ProjectID) event.Event {
		return &event.RollbackDue{Project: id, At: s.o.Now(), To: c.PostForm("to")}
	})
}

// describe replaces the lines of one label of one control and keeps all others.
func (s *Server) describe(c *gin.Context) {
	id, ok := s.projectID(c)
	if !ok {
		return
	}
	have, err := s.o.Describer.Descriptions(c, id)
	if err != nil {
		s.failWith(c, err)
		return
	}
	var lines []string
	for line := range strings.Lines(c.PostForm("lines")) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	changed, err := withLines(have, c.PostForm("control"), c.PostForm("label"), lines)
	if err != nil {
		s.fail(c, http.StatusBadRequest, err.Error())
		return
	}
	if _, err := s.o.Describer.Describe(c, id, changed); err != nil {
		s.failWith(c, err)
		return
	}
	s.toProject(c)
}

// withLines returns descriptions, as a JSON object, in which one label of one control has other lines.
// Lines that were given for a label in any control stay those of the other controls.
func withLines(have api.Descriptions, control, label string, lines []string) ([]byte, error) {
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(have.Descriptions, &all); err != nil {
		return nil, fmt.Errorf("the descriptions there are cannot be read: %w", err)
	}
	set := func(control string, lines []string) error {
		of := map[string]json.RawMessage{}
		if raw := all[control]; len(raw) > 0 && raw[0] == '{' {
			if err := json.Unmarshal(raw, &of); err != nil {
				return fmt.Errorf("the descriptions of %q cannot be read: %w", control, err)
			}
		}
		delete(of, label)
		var err error
		if len(lines) > 0 {
			if of[label], err = json.Marshal(lines); err != nil {
				return err
			}
		}
		delete(all, control)
		if len(of) > 0 {
			all[control], err = json.Marshal(of)
		}
		return err
	}
	anywhere := all[label]
	if len(anywhere) > 0 && anywhere[0] != '{' {
		delete(all, label)
	}
	found := false
	for _, c := range have.Controls {
		i := slices.IndexFunc(c.Labels, func(l api.DescribedLabel) bool { return l.Label == label })
		keep := lines
		switch {
		case i < 0:
			continue
		case c.Control == control:
			found = true
		default:
			keep = c.Labels[i].Lines
		}
		if err := set(c.Control, keep); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, fmt.Errorf("the label config has no label %q of a control %q any more: reload the page", label, control)
	}
	return json.Marshal(all)
}

func (s *Server) configure(c *gin.Context) {
	id, ok := s.projectID(c)
	if !ok {
		return
	}
	change := api.Change{Key: c.PostForm("key")}
	if value := strings.TrimSpace(c.PostForm("value")); value != "" && c.PostForm("default") == "" {
		change.Value = &value
	}
	if _, err := s.o.Configurer.Configure(c, id, []api.Change{change}); err != nil {
		s.failWith(c, err)
		return
	}
	s.toProject(c)
}
