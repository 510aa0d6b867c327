package labelstudio

import (
	"encoding/json"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// Config is a labelconfig.Config whose controls read and write results themselves.
type Config struct {
	// Controls are the questions, in document order.
	Controls []Control
	// Objects are what the questions are about, in document order.
	Objects []Object

	parsed *labelconfig.Config
}

// Control is a labelconfig.Control that reads and writes results itself.
type Control struct{ labelconfig.Control }

// DecodeChoices is regions.DecodeChoices.
func (c Control) DecodeChoices(result json.RawMessage) (labels []string, ok bool, err error) {
	return regions.DecodeChoices(c.Control, result)
}

// Choices is regions.Choices.
func (c Control) Choices(rs []Region) regions.Answer { return regions.Choices(c.Control, rs) }

// EncodeChoices is regions.EncodeChoices.
func (c Control) EncodeChoices(id string, labels []string, score float64) Region {
	return regions.EncodeChoices(c.Control, id, labels, score)
}

// DecodeNumber is regions.DecodeNumber.
func (c Control) DecodeNumber(result json.RawMessage) (v float64, ok bool, err error) {
	return regions.DecodeNumber(c.Control, result)
}

// Number is regions.Number.
func (c Control) Number(rs []Region) (v float64, ok bool) { return regions.Number(c.Control, rs) }

// EncodeNumber is regions.EncodeNumber.
func (c Control) EncodeNumber(id string, v, score float64) Region {
	return regions.EncodeNumber(c.Control, id, v, score)
}

// Spans is regions.Spans.
func (c Control) Spans(rs []Region, p Passage) regions.SpanAnswer {
	return regions.Spans(c.Control, rs, p)
}

// EncodeSpans is regions.EncodeSpans.
func (c Control) EncodeSpans(id string, p Passage, spans []Span) []Region {
	return regions.EncodeSpans(c.Control, id, p, spans)
}

// ParseLabelConfig is labelconfig.Parse.
func ParseLabelConfig(config string) (*Config, error) {
	parsed, err := labelconfig.Parse(config)
	if err != nil {
		return nil, err
	}
	return &Config{Controls: controls(parsed.Controls), Objects: parsed.Objects, parsed: parsed}, nil
}

func controls(cs []labelconfig.Control) []Control {
	var out []Control
	for _, c := range cs {
		out = append(out, Control{c})
	}
	return out
}

// Learnable are the controls hone learns, in document order.
func (c *Config) Learnable() []Control { return controls(c.parsed.Learnable()) }

// Control finds a control tag by its name.
func (c *Config) Control(name string) (Control, bool) {
	t, ok := c.parsed.Control(name)
	return Control{t}, ok
}

// Object finds an object tag by its name.
func (c *Config) Object(name string) (Object, bool) { return c.parsed.Object(name) }

// Targets are the object tags of a control whose text hone can read.
func (c *Config) Targets(t Control) []Object { return c.parsed.Targets(t.Control) }

// Check is nil when there is something to learn.
func (c *Config) Check() error { return c.parsed.Check() }

// Key changes when a learnable control, or what it reads, changes.
func (c *Config) Key() string { return c.parsed.Key() }
