package simulate

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/score"
)

// The answer to a Number is kept as the only label of a truth, as it is written.

func (q *question) isNumber() bool { return q.answer == head.AnswerNumber }

func (q *question) isSpans() bool { return q.answer == head.AnswerSpans }

// readAnswer returns the answer that an annotation's regions hold; nil when there is none.
func (q *question) readAnswer(rs []regions.Region) *answer {
	if q.isNumber() {
		if v, ok := regions.Number(q.Control, rs); ok {
			return &answer{[]string{formatNumber(v)}}
		}
		return nil
	}
	if a := regions.Choices(q.Control, rs); a.OK {
		return &answer{a.Labels}
	}
	return nil
}

// answerRegion returns the region by which annotators send labels, or a number as they typed
// it.
func (q *question) answerRegion(id string, labels []string) regions.Region {
	if !q.isNumber() {
		return regions.EncodeChoices(q.Control, id, labels, 1)
	}
	r := regions.EncodeNumber(q.Control, id, numericValue(labels[0]), 1)
	r.Value = json.RawMessage(`{"number":` + labels[0] + `}`)
	return r
}

func formatNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// numericValue returns a label as a number; NaN if it is none.
func numericValue(label string) float64 {
	v, err := strconv.ParseFloat(label, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

// findNumber is labelNamed for a Number.
func (q *question) findNumber(l string) (string, bool) {
	if v := numericValue(l); q.Numbers.Has(v) {
		return formatNumber(v), true
	}
	return "", false
}

// centralAnswer combines several annotators' answers: the mean of numbers, the median of
// ratings.
func (q *question) centralAnswer(said [][]*answer, i int) *answer {
	var all []float64
	for _, row := range said {
		if row[i] != nil {
			all = append(all, numericValue(row[i].labels[0]))
		}
	}
	if len(all) == 0 {
		return nil
	}
	if !q.isNumber() {
		slices.Sort(all)
		return &answer{[]string{formatNumber(all[(len(all)-1)/2])}}
	}
	var sum float64
	for _, v := range all {
		sum += v
	}
	return &answer{[]string{formatNumber(sum / float64(len(all)))}}
}

// errorScale says what the errors of numeric predictions are measured by.
type errorScale struct {
	mean      float64 // of the test data's answers; taken where there is no prediction
	tolerance float64 // how far a number may be off and still be right
}

// errorScaleOf returns the errorScale of a numeric question.
func (r *curveRun) errorScaleOf(i int) errorScale {
	var all []float64
	for _, it := range r.Data.test {
		if it.truth[i] != nil {
			all = append(all, numericValue(it.truth[i].labels[0]))
		}
	}
	mean, sd := spreadOf(all)
	return errorScale{mean, r.questions[i].tolerance(sd)}
}

// distance returns how far a prediction of a numeric question is from the truth.
func (q *question) distance(truth *answer, prediction wire.Prediction, by errorScale) *float64 {
	guess := by.mean
	if said := q.readAnswer(prediction.Result); said != nil {
		guess = numericValue(said.labels[0])
	}
	far := math.Abs(guess - numericValue(truth.labels[0]))
	return &far
}

// numberOutcome compares a prediction of a Number with the truth.
func (q *question) numberOutcome(truth *answer, prediction wire.Prediction, by errorScale) score.Outcome {
	o := score.Outcome{AbsErr: q.distance(truth, prediction, by)}
	if q.readAnswer(prediction.Result) == nil {
		return o
	}
	o.Correct = *o.AbsErr <= by.tolerance
	for _, region := range prediction.Result {
		if region.FromName == q.Name && region.Score != nil {
			o.Answers = append(o.Answers, score.Answer{Confidence: *region.Score, Correct: o.Correct})
		}
	}
	return o
}

// tolerance returns the largest error of a number that counts as right, as in the learner: a
// step or a tenth of the range, else half a standard deviation.
func (q *question) tolerance(sd float64) float64 {
	width, bounded := q.Numbers.Width()
	switch step := q.Numbers.Step; {
	case step != nil:
		return max(*step, width/10)
	case bounded:
		return width / 10
	}
	return sd / 2
}

func spreadOf(all []float64) (mean, sd float64) {
	for _, v := range all {
		mean += v / float64(len(all))
	}
	for _, v := range all {
		sd += (v - mean) * (v - mean) / float64(len(all))
	}
	return mean, math.Sqrt(sd)
}

// inferNumber adds the control that a rating or a number answers, and reports whether the
// region is one of these.
func inferNumber(found map[string]*inferredControl, r regions.Region) bool {
	tag := map[string]string{"rating": labelconfig.TypeRating, "number": labelconfig.TypeNumber}[r.Type]
	if tag == "" {
		return false
	}
	q := found[r.FromName]
	if q == nil {
		q = &inferredControl{name: r.FromName, objects: []string{r.ToName}, tag: tag}
		if tag == labelconfig.TypeRating {
			q.attrs = []string{"maxRating", "5"}
		}
		found[r.FromName] = q
	}
	var v struct{ Rating int }
	if q.tag == labelconfig.TypeRating && json.Unmarshal(r.Value, &v) == nil && float64(v.Rating) > numericValue(q.attrs[1]) {
		q.attrs[1] = strconv.Itoa(v.Rating)
	}
	return true
}
