// Package labelconfig reads label configs: which questions annotators are asked, and
// about which part of a task's data. It describes what the XML says and judges nothing. Configs are written by people, so every fault is a
// sentence that they can act on, and nothing panics.
package labelconfig

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// maxConfigBytes bounds a label config. Ten thousand choices fit into it.
	maxConfigBytes = 4 << 20
	// maxConfigDepth bounds nesting; real configs stay under twenty.
	maxConfigDepth = 200
)

// Config is a parsed label config: what annotators see and answer.
type Config struct {
	// Controls are the questions, in document order.
	Controls []Control
	// Objects are what the questions are about, in document order.
	Objects []Object
}

// Parse reads the XML of a labeling interface. The errors are
// sentences a user can act on. Tags and attributes hone does not know are kept
// or skipped, never refused: a config is refused only when Label Studio could
// not use it either, or when it is absurdly large or deep.
func Parse(config string) (*Config, error) {
	if strings.TrimSpace(config) == "" {
		return nil, errors.New("the label config is empty: set one under Settings > Labeling Interface")
	}
	if len(config) > maxConfigBytes {
		return nil, fmt.Errorf("the label config has %d bytes, more than the %d hone reads", len(config), maxConfigBytes)
	}
	p := configParser{names: map[string]string{}}
	d := xml.NewDecoder(strings.NewReader(config))
	// The string is already decoded, whatever its XML declaration says.
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the label config is not well-formed XML: %w", err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			err = p.open(t)
		case xml.EndElement:
			p.close()
		}
		if err != nil {
			return nil, err
		}
	}
	if !p.any {
		return nil, errors.New("the label config has no tags: set one under Settings > Labeling Interface")
	}
	return p.finish(), nil
}

// Object finds an object tag by its name.
func (c *Config) Object(name string) (Object, bool) {
	for _, o := range c.Objects {
		if o.Name == name {
			return o, true
		}
	}
	return Object{}, false
}

// Control finds a control tag by its name.
func (c *Config) Control(name string) (Control, bool) {
	for _, t := range c.Controls {
		if t.Name == name {
			return t, true
		}
	}
	return Control{}, false
}
