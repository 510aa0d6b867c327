package simulate

import (
	"context"
	"math"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// calibrationBins of the calibration error.
const calibrationBins = 15

// questionScores counts predictions of one question.
type questionScores struct {
	tasks, right              int
	hit, wrong                map[string]int // labels said, rightly and wrongly
	missed                    map[string]int
	loss                      float64
	binCounts                 [calibrationBins]int // answers by how sure the model was
	binConfidence, binCorrect [calibrationBins]float64
}

// measure predicts the test tasks as /predict does and scores the predictions.
func (r *curveRun) measure(ctx context.Context) (Point, error) {
	answers, err := r.learner.Predict(ctx, projectID, "", r.test)
	if err != nil {
		return Point{}, err
	}
	estimates, _, err := r.learner.Estimates(ctx, projectID, r.test)
	if err != nil {
		return Point{}, err
	}
	p := Point{Labels: r.labels}
	var asked, labelled, probable, numeric, spans float64
	for i, q := range r.questions {
		t := questionScores{hit: map[string]int{}, wrong: map[string]int{}, missed: map[string]int{}}
		for j, it := range r.Data.test {
			if it.truth[i] == nil || q.isNumber() {
				continue
			}
			var said []string
			answered := false
			if !answers[j].Abstains() && q.isSpans() {
				if m := q.readMarks(answers[j].Result, it.task.Data); m != nil {
					said, answered = m.labels, true
				}
			} else if !answers[j].Abstains() {
				a := regions.Choices(q.Control, answers[j].Result)
				said, answered = a.Labels, a.OK || q.Multiple
			}
			t.countAnswer(it.truth[i].labels, said, answered)
			if q.isSpans() {
				continue
			}
			d := q.distributionFor(estimates[j])
			t.countProbabilities(it.truth[i].labels, d, d.Exclusive)
		}
		if q.answer.Numeric() {
			if d := r.judgeNumbers(i, answers, &t); d.n > 0 {
				numeric++
				p.MAE += d.sum / d.n
				p.RMSE += math.Sqrt(d.squares / d.n)
			}
		}
		if t.tasks == 0 {
			continue
		}
		asked++
		p.Accuracy += float64(t.right) / float64(t.tasks)
		if !q.isNumber() {
			labelled++
			p.MacroF1 += t.macroF1(q.labels)
		}
		if q.isSpans() {
			spans++
			p.SpanF1 += t.microF1()
			continue
		}
		p.ECE += t.ece()
		if !q.isNumber() {
			probable++
			p.LogLoss += t.loss / float64(t.tasks)
		}
	}
	p.Accuracy /= asked
	p.MacroF1 /= max(1, labelled)
	p.LogLoss /= max(1, probable)
	p.ECE /= max(1, asked-spans)
	p.MAE, p.RMSE = p.MAE/max(1, numeric), p.RMSE/max(1, numeric)
	p.SpanF1 /= max(1, spans)
	return p, nil
}

// countAnswer counts the model's answer to one task.
func (t *questionScores) countAnswer(truth, said []string, answered bool) {
	t.tasks++
	if answered && len(truth) == len(said) && !slices.ContainsFunc(truth, func(l string) bool { return !slices.Contains(said, l) }) {
		t.right++
	}
	for _, l := range said {
		if slices.Contains(truth, l) {
			t.hit[labelOf(l)]++
		} else {
			t.wrong[labelOf(l)]++
		}
	}
	for _, l := range truth {
		if !slices.Contains(said, l) {
			t.missed[labelOf(l)]++
		}
	}
}

// macroF1 is the mean over the labels that the truth has.
func (t *questionScores) macroF1(labels []string) float64 {
	var sum, n float64
	for _, l := range labels {
		if t.hit[l]+t.missed[l] > 0 {
			sum += 2 * float64(t.hit[l]) / float64(2*t.hit[l]+t.wrong[l]+t.missed[l])
			n++
		}
	}
	if n == 0 {
		return 0 // nobody gave any label
	}
	return sum / n
}

// microF1 returns the F1 of all answers together, whatever their label.
func (t *questionScores) microF1() float64 {
	hit, all := 0, 0
	for _, n := range t.hit {
		hit += n
		all += 2 * n
	}
	for _, n := range t.wrong {
		all += n
	}
	for _, n := range t.missed {
		all += n
	}
	return 2 * float64(hit) / float64(max(1, all))
}

// distributionFor returns the model's distribution for the question. Without one all labels
// are equally likely.
func (q *question) distributionFor(estimates []event.Estimate) event.Distribution {
	for _, e := range estimates {
		if e.Control == q.Name && e.Classes != nil {
			return *e.Classes
		}
	}
	d := event.Distribution{Labels: q.labels, P: make([]float64, len(q.labels)), Exclusive: !q.Multiple}
	for i := range d.P {
		d.P[i] = 1 / float64(len(q.labels))
		if q.Multiple {
			d.P[i] = 0.5
		}
	}
	return d
}

// minProbability keeps logarithms finite.
const minProbability = 1e-12

// countProbabilities adds the log-loss and the calibration of one task's probabilities.
func (t *questionScores) countProbabilities(truth []string, d event.Distribution, exclusive bool) {
	top := 0
	for i, l := range d.Labels {
		is := slices.Contains(truth, l)
		p := d.P[i]
		if p > d.P[top] {
			top = i
		}
		if exclusive {
			if is {
				t.loss -= math.Log(max(p, minProbability))
			}
			continue
		}
		if !is {
			t.loss -= math.Log(max(1-p, minProbability))
		} else {
			t.loss -= math.Log(max(p, minProbability))
		}
		t.countConfidence(max(p, 1-p), is == (p >= 0.5))
	}
	if exclusive && len(d.P) > 0 {
		t.countConfidence(d.P[top], slices.Contains(truth, d.Labels[top]))
	}
}

// countConfidence counts one answer in the calibration bin of its confidence.
func (t *questionScores) countConfidence(sure float64, right bool) {
	b := min(int(sure*calibrationBins), calibrationBins-1)
	t.binCounts[b]++
	t.binConfidence[b] += sure
	if right {
		t.binCorrect[b]++
	}
}

func (t *questionScores) ece() float64 {
	var sum float64
	n := 0
	for b := range calibrationBins {
		sum += math.Abs(t.binConfidence[b] - t.binCorrect[b])
		n += t.binCounts[b]
	}
	return sum / float64(max(1, n))
}
