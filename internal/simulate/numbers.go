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

// said is what an annotation's regions say; nil when nothing.
func (q *question) said(rs []regions.Region) *truth {
	if q.isNumber() {
		if v, ok := regions.Number(q.Control, rs); ok {
			return &truth{[]string{written(v)}}
		}
		return nil
	}
	if a := regions.Choices(q.Control, rs); a.OK {
		return &truth{a.Labels}
	}
	return nil
}

// region is how annotators send labels, and a number as they typed it.
func (q *question) region(id string, labels []string) regions.Region {
	if !q.isNumber() {
		return regions.EncodeChoices(q.Control, id, labels, 1)
	}
	r := regions.EncodeNumber(q.Control, id, value(labels[0]), 1)
	r.Value = json.RawMessage(`{"number":` + labels[0] + `}`)
	return r
}

func written(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// value is the number that a label is; NaN if none.
func value(label string) float64 {
	v, err := strconv.ParseFloat(label, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

// findNumber is find for a Number.
func (q *question) findNumber(l string) (string, bool) {
	if v := value(l); q.Numbers.Has(v) {
		return written(v), true
	}
	return "", false
}

// middle is what several annotators say together: of numbers the mean, of ratings
// the median.
func (q *question) middle(said [][]*truth, i int) *truth {
	var all []float64
	for _, row := range said {
		if row[i] != nil {
			all = append(all, value(row[i].labels[0]))
		}
	}
	if len(all) == 0 {
		return nil
	}
	if !q.isNumber() {
		slices.Sort(all)
		return &truth{[]string{written(all[(len(all)-1)/2])}}
	}
	var sum float64
	for _, v := range all {
		sum += v
	}
	return &truth{[]string{written(sum / float64(len(all)))}}
}

// scale is what distances from the truth are measured by.
type scale struct {
	mean      float64 // of the test data's answers; stands for what is not answered
	tolerance float64 // how far a number may be off and still be right
}

// scaleOf is that of a numeric question.
func (r *run) scaleOf(i int) scale {
	var all []float64
	for _, it := range r.Data.test {
		if it.truth[i] != nil {
			all = append(all, value(it.truth[i].labels[0]))
		}
	}
	mean, sd := spreadOf(all)
	return scale{mean, r.questions[i].tolerance(sd)}
}

// distance is how far an answer to a numeric question is from the truth.
func (q *question) distance(truth *truth, answer wire.Prediction, by scale) *float64 {
	guess := by.mean
	if said := q.said(answer.Result); said != nil {
		guess = value(said.labels[0])
	}
	far := math.Abs(guess - value(truth.labels[0]))
	return &far
}

// numberOutcome compares an answer to a Number with the truth.
func (q *question) numberOutcome(truth *truth, answer wire.Prediction, by scale) score.Outcome {
	o := score.Outcome{AbsErr: q.distance(truth, answer, by)}
	if q.said(answer.Result) == nil {
		return o
	}
	o.Correct = *o.AbsErr <= by.tolerance
	for _, region := range answer.Result {
		if region.FromName == q.Name && region.Score != nil {
			o.Answers = append(o.Answers, score.Answer{Confidence: *region.Score, Correct: o.Correct})
		}
	}
	return o
}

// tolerance is how far a number may be off and still be right, as in the learner:
// within a step or a tenth of the range, else half a standard deviation.
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

// inferNumber makes the question that a rating or a number answers, and reports
// whether the region is one.
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
	if q.tag == labelconfig.TypeRating && json.Unmarshal(r.Value, &v) == nil && float64(v.Rating) > value(q.attrs[1]) {
		q.attrs[1] = strconv.Itoa(v.Rating)
	}
	return true
}
