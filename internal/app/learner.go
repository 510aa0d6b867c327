package app

import (
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
)

// OpenEncoder opens the encoder that the configuration names, with its options. The error says which
// names there are.
func OpenEncoder(c config.Learner, name string) (encoders.Encoder, error) {
	return encoders.Open(name, encoders.Options{OpenAIModel: c.OpenAIModel, OpenAIKey: c.OpenAIKey.Reveal, OpenAITimeout: c.OpenAITimeout})
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
