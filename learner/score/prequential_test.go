package score_test

import (
	"math"
	"testing"

	"github.com/hone-ml/hone/learner/score"
)

func TestScores(t *testing.T) {
	p := new(score.Prequential)
	add := func(truth, said string, loss float64) {
		p.Add(score.Outcome{Truth: []string{truth}, Predicted: []string{said}, Correct: truth == said, LogLoss: &loss})
	}
	add("a", "a", 0.5)
	add("a", "b", 1.5)
	add("b", "b", 1)
	if a, f, l := p.Cumulative.Accuracy(), p.Cumulative.MacroF1(), p.Cumulative.MeanLogLoss(); math.Abs(a-2.0/3) > 1e-12 || math.Abs(f-2.0/3) > 1e-12 || l != 1 {
		t.Errorf("accuracy %g, macro-F1 %g, log-loss %g", a, f, l)
	}
	for range 400 {
		add("b", "b", 0)
	}
	if p.Recent.Accuracy() < 0.999 || p.Cumulative.Accuracy() > 0.999 {
		t.Errorf("recent %g, over-all %g", p.Recent.Accuracy(), p.Cumulative.Accuracy())
	}
	p.Retain([]string{"b"})
	if _, still := p.Cumulative.Labels["a"]; still || len(p.Cumulative.Labels) != 1 {
		t.Error("a label that is gone is counted")
	}
}

func TestCalibrationError(t *testing.T) {
	p := new(score.Prequential)
	for i := range 100 { // sure of 0.9, right in 8 of 10
		p.Add(score.Outcome{Correct: i%10 < 8, Answers: []score.Answer{{Confidence: 0.9, Correct: i%10 < 8}}})
	}
	if e := p.Cumulative.ECE(); math.Abs(e-0.1) > 1e-9 {
		t.Errorf("ECE %g", e)
	}
	for range 100 { // sure of 0.3 and always right: off by 0.7
		p.Add(score.Outcome{Correct: true, Answers: []score.Answer{{Confidence: 0.3, Correct: true}}})
	}
	if e := p.Cumulative.ECE(); math.Abs(e-0.4) > 1e-9 {
		t.Errorf("ECE %g", e)
	}
	far := 2.0
	q := new(score.Prequential)
	q.Add(score.Outcome{AbsErr: &far})
	far = 4
	q.Add(score.Outcome{AbsErr: &far})
	if q.Cumulative.MAE() != 3 || math.Abs(q.Cumulative.RMSE()-math.Sqrt(10)) > 1e-12 {
		t.Errorf("MAE %g, RMSE %g", q.Cumulative.MAE(), q.Cumulative.RMSE())
	}
}
