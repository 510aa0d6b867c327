package app

import (
	"slices"

	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/features"
)

// OpenEncoder opens the encoder that the configuration names, with its options. The error says which
// names there are.
func OpenEncoder(c config.Learner, name string) (encoders.Encoder, error) {
	return encoders.Open(name, encoders.Options{OpenAIModel: c.OpenAIModel, OpenAIKey: c.OpenAIKey.Reveal, OpenAITimeout: c.OpenAITimeout})
}

// encoderNames returns the names of the encoders that a project may choose: those that are
// complete in the program, and the configured one.
func encoderNames(c config.Learner) []string {
	names := encoders.BuiltIn()
	if !slices.Contains(names, c.Encoder) {
		names = append(names, c.Encoder)
	}
	return names
}

// projectEncoders opens the encoders that a project may choose, by their names. configured is
// that of the configuration.
func projectEncoders(c config.Learner, configured encoders.Encoder) (map[string]features.Encoding, error) {
	all := map[string]features.Encoding{c.Encoder: features.Encoding(configured)}
	for _, name := range encoders.BuiltIn() {
		if name == c.Encoder {
			continue
		}
		e, err := encoders.Open(name, encoders.Options{})
		if err != nil {
			return nil, err
		}
		all[name] = features.Encoding(e)
	}
	return all, nil
}

// queued returns the tasks that will be asked next, best first, to be encoded first.
func (a *App) queued(id event.ProjectID) []event.TaskID {
	if a.Sampler == nil { // not wired yet
		return nil
	}
	items := a.Sampler.Next(id)
	ids := make([]event.TaskID, len(items))
	for i, it := range items {
		ids[i] = it.Task
	}
	return ids
}
