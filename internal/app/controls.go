package app

import (
	"encoding/json"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/head"
)

// LearnedControls returns the controls of a label config that hone learns, at least one. The error
// says what is wrong with the config, or why hone learns none of its controls and what would
// work.
func LearnedControls(config string) ([]labelconfig.Control, error) {
	cfg, err := labelconfig.Parse(config)
	if err != nil {
		return nil, err
	}
	decisions := head.Decide(cfg)
	if err := decisions.Check(); err != nil {
		return nil, err
	}
	return controlsOf(decisions.Learned()), nil
}

func controlsOf(decisions []head.Decision) []labelconfig.Control {
	controls := make([]labelconfig.Control, len(decisions))
	for i, d := range decisions {
		controls[i] = d.Control
	}
	return controls
}

// learnedNames returns the names of LearnedControls.
func learnedNames(config string) ([]string, error) {
	controls, err := LearnedControls(config)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(controls))
	for i, c := range controls {
		names[i] = c.Name
	}
	return names, nil
}

// controlsLeftAlone returns the controls of a label config that hone does not learn, with the
// reasons; none of a config that cannot be read.
func controlsLeftAlone(config string) []api.Unlearnable {
	cfg, err := labelconfig.Parse(config)
	if err != nil {
		return nil
	}
	var out []api.Unlearnable
	for _, d := range head.Decide(cfg) {
		if d.Outcome != head.Learned {
			out = append(out, api.Unlearnable{Control: d.Control.Name, Type: d.Control.Type, Reason: d.Reason})
		}
	}
	return out
}

// fitsConfig makes a test of whether a stored prediction says only what hone could say
// under a label config: with its learned controls, and labels that they have. It is nil for
// a config that cannot be read, of which nothing is known.
func fitsConfig(config string) func(result json.RawMessage) bool {
	cfg, err := labelconfig.Parse(config)
	if err != nil {
		return nil
	}
	controls := controlsOf(head.Decide(cfg).Learned())
	return func(result json.RawMessage) bool { return regions.Fits(controls, result) }
}
