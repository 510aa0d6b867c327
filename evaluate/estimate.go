package evaluate

import (
	"math"

	"gonum.org/v1/gonum/mathext"

	"github.com/hone-ml/hone/event"
)

const (
	// level is the probability with which an interval misses the accuracy.
	level = 0.05
	// priorSlope is how much of a difference in confidence is a difference in accuracy,
	// before any answer: models of few labels are too confident. priorWeight is the
	// number of answers that it weighs as much as.
	priorSlope  = 0.7
	priorWeight = 10
	// leastVariance keeps divisions finite where a model is equally sure of all tasks.
	leastVariance = 1e-6
	// leastRatio bounds what the control variate may gain.
	leastRatio = 0.25
)

// Estimate estimates the accuracy over a pool from predictions of tasks that were drawn from it
// at random, each by a model that had not learned the task. It is false without any.
//
// The model's confidence is known for all tasks of the pool, so it serves as a control
// variate: where the drawn tasks are by chance easier than the pool, the estimate is corrected
// (prediction-powered inference: Angelopoulos, Bates, Fannjiang, Jordan & Zrnic 2023, Science
// 382; with the slope fitted: Angelopoulos, Duchi & Zrnic 2023, "PPI++"). With a handful of
// answers neither slope nor variance is known well, so both are shrunk to a prior. The
// interval is Clopper & Pearson's (1934) for as many answers as would have the same variance
// without the correction.
func Estimate(answers []event.HeldOut, pool event.Confidence) (a event.Accuracy, ok bool) {
	n := float64(len(answers))
	if n == 0 {
		return a, false
	}
	correct := make([]float64, len(answers))
	for i, h := range answers {
		if h.Correct {
			correct[i] = 1
		}
	}
	share, effective := mean(correct), n
	if pool.Tasks > 0 && answers[0].Confidence >= 0 {
		share, effective = corrected(answers, correct, pool)
	}
	share = min(max(share, 0), 1)
	a.Estimate, a.Random = share, len(answers)
	a.Low, a.High = clopperPearson(share*effective, effective)
	return a, true
}

// corrected returns the share of correct answers, corrected by the confidences, and the number
// of answers that have the same variance uncorrected.
func corrected(answers []event.HeldOut, correct []float64, pool event.Confidence) (share, effective float64) {
	n := float64(len(answers))
	confidence := make([]float64, len(answers))
	for i, h := range answers {
		confidence[i] = h.Confidence
	}
	variance := max(pool.Variance, leastVariance)
	slope := (covariation(correct, confidence) + priorWeight*priorSlope*variance) / (covariation(confidence, confidence) + priorWeight*variance)
	slope = min(max(slope, 0), 1.2)
	share = mean(correct) + slope*(pool.Mean-mean(confidence))

	// The ratio of the variances after and before. Its prior is that of a calibrated model.
	before := max(pool.Mean*(1-pool.Mean), 1e-4)
	explained := min(priorSlope*(2-priorSlope)*variance/before, 1-leastRatio)
	residuals := make([]float64, len(answers))
	for i := range residuals {
		residuals[i] = correct[i] - slope*confidence[i]
	}
	ratio := (covariation(residuals, residuals) + priorWeight*before*(1-explained)) / (covariation(correct, correct) + priorWeight*before)
	return share, n / min(max(ratio, leastRatio), 1)
}

// clopperPearson returns the bounds of the exact binomial interval. Neither number need be
// whole.
func clopperPearson(correct, n float64) (low, high float64) {
	low, high = 0, 1
	const whole = 1e-9
	if correct > whole {
		low = mathext.InvRegIncBeta(correct, n-correct+1, level/2)
	}
	if correct < n-whole {
		high = mathext.InvRegIncBeta(correct+1, n-correct, 1-level/2)
	}
	return low, high
}

func mean(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// covariation returns the sum over the products of the differences from the means.
func covariation(a, b []float64) (sum float64) {
	ma, mb := mean(a), mean(b)
	for i := range a {
		sum += (a[i] - ma) * (b[i] - mb)
	}
	if math.IsNaN(sum) {
		return 0
	}
	return sum
}
