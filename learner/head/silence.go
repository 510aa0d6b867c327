package head

import (
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/settings"
)

// minPredictions is how often a label must have been predicted before its precision says
// something.
const minPredictions = 5

// Silence is what is not suggested of a head. It is immutable.
type Silence struct {
	// All is true when nothing is suggested.
	All    bool
	Labels map[string]bool
	// Precision is that of the labels, where it decides.
	Precision map[string]float64
}

// SilenceBy is what the settings, and the precision where they go by it, keep from
// annotators. The precision is that of predictions made just before each task was learned:
// out of sample, of earlier models, and of the tasks that were asked about.
func (q *Spec) SilenceBy(by settings.Suggesting, progress *score.Prequential) Silence {
	if by.Mode == settings.SuggestAlways && len(by.Off) == 0 {
		return Silence{}
	}
	s := Silence{Labels: map[string]bool{}}
	name := q.Control.Name
	for _, l := range q.Labels {
		if by.HidesLabel(name, l) {
			s.Labels[l] = true
		}
	}
	s.All = by.Hides(name)
	if by.Mode != settings.SuggestPrecise {
		return s.complete(q.Labels)
	}
	if len(q.Labels) == 0 {
		s.All = s.All || progress.Cumulative.Tasks < minPredictions || progress.Recent.Accuracy() < by.Precision
		return s
	}
	s.Precision = map[string]float64{}
	for _, l := range q.Labels {
		_, ever := progress.Cumulative.Precision(l)
		precision, recent := progress.Recent.Precision(l)
		if recent > 0 {
			s.Precision[l] = precision
		}
		if ever < minPredictions || precision < by.Precision {
			s.Labels[l] = true
		}
	}
	return s.complete(q.Labels)
}

// complete says that nothing is suggested where no label is.
func (s Silence) complete(labels []string) Silence {
	s.All = s.All || len(labels) > 0 && len(s.Labels) == len(labels)
	return s
}

// Names are the silent labels in the order of the head's.
func (s Silence) Names(labels []string) (out []string) {
	for _, l := range labels {
		if s.Labels[l] {
			out = append(out, l)
		}
	}
	return out
}
