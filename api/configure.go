package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/cut"
	"github.com/hone-ml/hone/internal/jsonscan"
)

// Setting is one setting of a project.
type Setting struct {
	Key string `json:"key"`
	// Value is in force; Default is what it is when nobody sets it. Both are as they are
	// written after KEY=.
	Value   string `json:"value"`
	Default string `json:"default"`
	// Set is true when somebody has set it for this project.
	Set bool `json:"set"`
	// Type says what it takes, Doc what it does.
	Type string `json:"type"`
	Doc  string `json:"doc"`
}

// Configuration is the answer to PATCH /api/projects/{id}, and what `hone configure --json`
// prints.
type Configuration struct {
	Project event.ProjectID `json:"project"`
	// Applied is false when the change waits in the log behind what is still to be learned:
	// Settings are then those before it.
	Applied  bool      `json:"applied"`
	Settings []Setting `json:"settings"`
}

// Change sets one setting of a project; a nil Value means its default.
type Change struct {
	Key   string
	Value *string
}

// Configurer changes the settings of single projects. Safe for concurrent use.
type Configurer interface {
	// Configure makes all changes or none. The error names everything that is wrong with
	// them, or wraps ErrUnknownProject.
	Configure(ctx context.Context, id event.ProjectID, changes []Change) (Configuration, error)
}

// maxSettings bounds the body of a change of settings.
const maxSettings = 64 << 10

func (s *Server) configure(c *gin.Context) {
	id, ok := projectID(c)
	if !ok {
		return
	}
	changes, err := readChanges(http.MaxBytesReader(c.Writer, c.Request.Body, maxSettings))
	if err != nil {
		writeBodyError(c, err, fmt.Sprintf("the body is larger than %d KiB, which no settings are", maxSettings>>10),
			fmt.Sprintf(`%v; the body must be an object such as {"queue": 20, "strategy": null}, with null for the default`, err))
		return
	}
	out, err := s.Configurer.Configure(c, id, changes)
	if err != nil {
		writeError(c, err)
		return
	}
	writeChanged(c, out.Applied, out)
}

// readChanges reads a JSON object with a value for each setting, null for its default. A
// key that comes twice is there twice.
func readChanges(body io.Reader) (out []Change, err error) {
	err = jsonscan.Members("the body", body, func(name string, raw json.RawMessage) error {
		value, err := changeText(raw)
		if err != nil {
			return fmt.Errorf("%q %w", cut.Runes(name, maxNamed), err)
		}
		out = append(out, Change{Key: name, Value: value})
		return nil
	})
	return out, err
}

// maxNamed is how many characters of a name an error has.
const maxNamed = 80

// changeText is a JSON value as it is written after KEY=, nil for null.
func changeText(raw json.RawMessage) (*string, error) {
	raw = bytes.TrimSpace(raw)
	text := string(raw)
	switch raw[0] {
	case 'n':
		return nil, nil //nolint:nilnil // null is the default
	case '"':
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, fmt.Errorf("is not JSON: %w", err)
		}
	case '{':
		return nil, errors.New("is set to an object, and takes a text, a number, a list, or null")
	}
	return &text, nil
}
