package span

import (
	"math"
	"slices"

	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
)

// Outcome compares the spans that the view finds in an example with those that annotators
// marked. Hits, false alarms and misses are counted by label, which labels names; the
// log-loss is the mean over tokens.
func (v *View) Outcome(labels []string, e model.Example, s *Scratch) score.Outcome {
	v.predictTokens(e.X.Tokens, nil, s)
	truth, found := v.truth(e), v.viterbi(s)
	counts := map[string][3]float64{}
	count := func(label int, what int) {
		c := counts[labels[label]]
		c[what]++
		counts[labels[label]] = c
	}
	correct := true
	var answers []score.Answer
	for _, f := range found {
		hit := slices.ContainsFunc(truth, f.same)
		answers = append(answers, score.Answer{Confidence: f.score, Correct: hit})
		if hit {
			count(f.label, 0)
		} else {
			count(f.label, 1)
			correct = false
		}
	}
	for _, f := range truth {
		if !slices.ContainsFunc(found, f.same) {
			count(f.label, 2)
			correct = false
		}
	}
	loss, _ := v.loss(e, s)
	return score.Outcome{Counts: counts, Correct: correct, LogLoss: &loss, Answers: answers}
}

// Brier returns the squared error of the tags' probabilities, summed over the tokens of
// an example, and whether the view finds exactly the spans that annotators marked.
func (v *View) Brier(e model.Example, s *Scratch) (brier float64, exact bool) {
	v.predictTokens(e.X.Tokens, nil, s)
	_, brier = v.loss(e, s)
	return brier, slices.EqualFunc(v.truth(e), v.viterbi(s), candidate.same)
}

// truth returns the spans of an example: at each token what the majority of annotators
// marked, if they marked it at all.
func (v *View) truth(e model.Example) []candidate {
	var out []candidate
	k := int32(2 * v.classes)
	for at := 0; at < len(e.Target); {
		token := e.Target[at].Class / k
		var in float32
		best := e.Target[at]
		for ; at < len(e.Target) && e.Target[at].Class/k == token; at++ {
			in += e.Target[at].P
			if e.Target[at].P > best.P {
				best = e.Target[at]
			}
		}
		if in < 0.5 {
			continue
		}
		label, inside := int(best.Class%k/2), best.Class%2 == 1
		if last := len(out) - 1; inside && last >= 0 && out[last].to == int(token) {
			out[last].to++
			continue
		}
		out = append(out, candidate{from: int(token), to: int(token) + 1, label: label})
	}
	return out
}

// loss returns the log-loss of an example whose tokens are predicted, as the mean over
// tokens, and the squared error of the tags, as the sum over tokens.
func (v *View) loss(e model.Example, s *Scratch) (logs, squares float64) {
	b := &s.probs
	k := 2 * v.classes
	at := 0
	for i := range b.n {
		p := b.ofTags(i)
		want := [numTags]float64{1, 0, 0}
		for ; at < len(e.Target) && int(e.Target[at].Class)/k == i; at++ {
			share := e.Target[at]
			label, tag := int(share.Class)%k/2, tagB+int(share.Class)%2
			q := float64(share.P)
			want[tagO] -= q
			want[tag] += q
			ofLabel := b.labels[i*v.classes+label]
			logs -= q * math.Log(max(ofLabel, 1e-12))
			squares += q * (1 - ofLabel) * (1 - ofLabel)
		}
		for y, w := range want {
			logs -= w * math.Log(max(p[y], 1e-12))
			squares += (w - p[y]) * (w - p[y])
		}
	}
	return score.Ratio(logs, float64(b.n)), squares
}
