package score_test

import (
	"math"
	"testing"

	"github.com/hone-ml/hone/learner/score"
)

func TestProbabilitiesAreScoredByWhatTheyAnswer(t *testing.T) {
	labels := []string{"a", "b", "c"}
	for name, x := range map[string]struct {
		exclusive bool
		truth     []string
		p         []float64
		loss, ece float64
	}{
		"exclusive, right":   {true, []string{"a"}, []float64{.8, .1, .1}, -math.Log(.8), .2},
		"exclusive, wrong":   {true, []string{"c"}, []float64{.8, .1, .1}, -math.Log(.1), .8},
		"exclusive, no room": {true, []string{"c"}, []float64{1, 0, 0}, -math.Log(1e-12), 1},
		"independent":        {false, []string{"a", "c"}, []float64{.9, .2, .4}, -math.Log(.9 * .8 * .4), (.1 + .2 + .6) / 3},
		"none of them":       {false, nil, []float64{.1, .2, .3}, -math.Log(.9 * .8 * .7), (.1 + .2 + .3) / 3},
	} {
		var s score.Scores
		s.Add(score.Outcome{})
		s.AddProbabilities(x.truth, labels, x.p, x.exclusive)
		if s.Tasks != 1 || math.Abs(s.MeanLogLoss()-x.loss) > 1e-9 || math.Abs(s.ECE()-x.ece) > 1e-9 {
			t.Errorf("%s: %g tasks, log-loss %g, want %g, ECE %g, want %g", name, s.Tasks, s.MeanLogLoss(), x.loss, s.ECE(), x.ece)
		}
	}
	if score.Answers(nil, nil, nil, true) != nil {
		t.Error("no probabilities answer something")
	}
}

func TestMicroF1CountsAnswersNotLabels(t *testing.T) {
	var s score.Scores
	s.Add(score.Outcome{Counts: map[string][3]float64{"a": {8, 1, 0}, "b": {0, 0, 2}}})
	if f := s.MicroF1(); math.Abs(f-16./19) > 1e-12 {
		t.Errorf("micro-F1 %g", f)
	}
	if f := s.MacroF1(); math.Abs(f-16./17/2) > 1e-12 || f != s.MacroF1Of([]string{"a", "b", "never given"}) {
		t.Errorf("macro-F1 %g", f)
	}
	if f := new(score.Scores).MicroF1(); f != 0 {
		t.Errorf("micro-F1 of nothing: %g", f)
	}
}
