package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/event"
)

// Descriptions is the answer to GET and PUT /api/projects/{id}/descriptions, and what
// `hone describe --json` prints.
type Descriptions struct {
	Project event.ProjectID `json:"project"`
	// Applied is false when a change waits in the log behind what is still to be learned: the
	// rest is as it was before it.
	Applied bool `json:"applied"`
	// Descriptions is what was written, in the form that PUT takes.
	Descriptions json.RawMessage    `json:"descriptions"`
	Controls     []DescribedControl `json:"controls"`
	// Unused are described and have no label whose lines are read, as CONTROL/LABEL where the
	// control was named.
	Unused []string `json:"unused,omitempty"`
}

// DescribedControl is a control with labels.
type DescribedControl struct {
	Control string           `json:"control"`
	Labels  []DescribedLabel `json:"labels"`
}

// DescribedLabel is what is known of the meaning of a label.
type DescribedLabel struct {
	Label string   `json:"label"`
	Lines []string `json:"lines"`
	// Hint is that of the label config.
	Hint string `json:"hint,omitempty"`
	// Source is the best there is: one of the Source constants. It is empty where the model
	// reads neither names nor lines.
	Source string `json:"source,omitempty"`
}

// The values of DescribedLabel.Source.
const (
	SourceLines = "lines"
	SourceHint  = "hint"
	SourceName  = "name"
)

// Describer keeps the lines that say what the labels of projects mean. Safe for concurrent use.
type Describer interface {
	// Descriptions returns what is known. The error may wrap ErrUnknownProject.
	Descriptions(ctx context.Context, id event.ProjectID) (Descriptions, error)
	// Describe replaces the lines by those of a JSON object. The error says what is wrong with
	// it, or wraps ErrUnknownProject.
	Describe(ctx context.Context, id event.ProjectID, object []byte) (Descriptions, error)
}

// maxDescriptions bounds the body of a PUT: what a project may have, with every character
// written as \u and four digits.
const maxDescriptions = 512 << 10

func (s *Server) descriptions(c *gin.Context) {
	id, ok := projectID(c)
	if !ok {
		return
	}
	out, err := s.Describer.Descriptions(c, id)
	if err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusOK, out)
}

func (s *Server) describe(c *gin.Context) {
	id, ok := projectID(c)
	if !ok {
		return
	}
	object, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxDescriptions))
	if err != nil {
		writeBodyError(c, err, fmt.Sprintf("the body is larger than %d KiB, which no descriptions are", maxDescriptions>>10), "the body cannot be read: "+err.Error())
		return
	}
	out, err := s.Describer.Describe(c, id, object)
	if err != nil {
		writeError(c, err)
		return
	}
	writeChanged(c, out.Applied, out)
}

// Descriptions returns what is known of the meaning of a project's labels.
func (c *Client) Descriptions(ctx context.Context, id event.ProjectID) (Descriptions, error) {
	var out Descriptions
	err := c.do(ctx, http.MethodGet, projectPath(id, "/descriptions"), nil, &out)
	return out, err
}

// Describe replaces the lines that describe a project's labels by those of a JSON object.
func (c *Client) Describe(ctx context.Context, id event.ProjectID, object json.RawMessage) (Descriptions, error) {
	var out Descriptions
	err := c.do(ctx, http.MethodPut, projectPath(id, "/descriptions"), object, &out)
	return out, err
}
