package app

import (
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
)

// OpenEncoder makes the encoder of a name, with what the configuration says of it.
func OpenEncoder(c config.Learner, name string) (encoders.Encoder, error) {
	return encoders.Open(name, encoders.Options{OpenAIModel: c.OpenAIModel, OpenAIKey: c.OpenAIKey.Reveal, OpenAITimeout: c.OpenAITimeout})
}

// queued lists what will be asked next, for the learner to encode first.
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
