package sampler

import (
	"context"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/coverage"
	"github.com/hone-ml/hone/sampler/strategy"
)

const (
	// typicalStart is how many tasks are labelled before where the model is unsure matters to the
	// strategy coverage.
	typicalStart = 10
	// candidateLengths is how many times as many tasks as are asked margin_kmeans clusters (10 in
	// the paper's experiments).
	candidateLengths = 10
	// pointsPerCluster is how many points of the sample there are for each cluster of typiclust,
	// at the least, once there are more than typicalStart clusters.
	pointsPerCluster = 10
	// farCover is the cover below which a task is unlike what is labelled: it is farther from
	// that than half the median distance of two tasks.
	farCover = 0.135
)

// picker is a strategy that looks at tasks together.
type picker struct {
	vectors bool // it needs the tasks' vectors
	// pick returns the tasks to ask about, best first, random ones left out or not. ok is false
	// when it has nothing to go by. The error is the context's.
	pick func(ctx context.Context, s *selection) (picks []picked, ok bool, err error)
}

// pickers are all of them, by name.
var pickers = map[string]picker{
	strategy.NameCoverage:      {true, pickCovering},
	strategy.NameMarginKMeans:  {true, pickCentral},
	strategy.NameBadge:         {true, pickGradients},
	strategy.NameTypiclust:     {true, pickTypical},
	strategy.NameClassBalanced: {false, pickBalanced},
}

// pickCovering takes typical tasks first, and then what most raises the coverage.
func pickCovering(ctx context.Context, s *selection) (out []picked, _ bool, _ error) {
	asked := s.asked()
	if left := typicalStart - s.space.Labelled(); left > 0 {
		typical, err := s.space.Typical(ctx, typicalStart, left, asked, s.order)
		if err != nil {
			return nil, false, err
		}
		for _, k := range typical {
			if k.Labelled > 0 {
				break
			}
			asked = append(asked, k.ID)
			out = append(out, picked{event.TaskID(k.ID), Reason{Kind: ReasonTypical}})
		}
	}
	next, err := s.space.Greedy(ctx, keepQueueLengths*s.r.size, asked, s.uncertainty, s.order)
	mean := s.meanUncertainty()
	for _, k := range next {
		why := Reason{Kind: ReasonUncertain}
		if s.uncertainty(k.ID) <= mean { // it is not what made it
			why.Kind = ReasonCovers
			if k.Cover < farCover {
				why.Kind = ReasonNovel
			}
		}
		out = append(out, picked{event.TaskID(k.ID), why})
	}
	return out, true, err
}

// meanUncertainty is the mean over the tasks in the space.
func (s *selection) meanUncertainty() float64 {
	sum, n := 0.0, 0
	for _, t := range s.sample {
		if s.space.Has(int64(t.ID)) {
			sum, n = sum+s.uncertainty(int64(t.ID)), n+1
		}
	}
	return sum / float64(max(1, n))
}

// pickCentral clusters the least sure tasks of the space.
func pickCentral(ctx context.Context, s *selection) (out []picked, _ bool, _ error) {
	unsure := slices.DeleteFunc(s.scored(s.sample[len(s.random):]), func(t scoredTask) bool { return !s.space.Has(int64(t.task)) })
	var of []int64
	for _, t := range topK(unsure, candidateLengths*s.r.size, byScore) {
		of = append(of, int64(t.task))
	}
	ids, err := s.space.Central(ctx, of, s.r.size, s.uncertainty, s.order)
	for _, id := range ids {
		out = append(out, picked{event.TaskID(id), s.unsure()})
	}
	return out, true, err
}

// unsure is the reason of a task that is asked for how unsure the model is of it. As long as that
// knows nothing, the task is one of a group.
func (s *selection) unsure() Reason {
	if !s.knows {
		return Reason{Kind: ReasonTypical}
	}
	return Reason{Kind: ReasonUncertain}
}

// pickGradients draws tasks that are far apart by what they would change.
func pickGradients(ctx context.Context, s *selection) (out []picked, _ bool, _ error) {
	at := make(map[int64]int, len(s.sample))
	for i, t := range s.sample {
		at[int64(t.ID)] = i
	}
	ids, err := s.space.Gradients(ctx, keepQueueLengths*s.r.size, s.asked(), func(id int64) []coverage.Component {
		if !s.knows {
			return []coverage.Component{{Value: coverage.GradientStep}}
		}
		return gradient(s.estimates[at[id]])
	}, s.order)
	for _, id := range ids {
		out = append(out, picked{event.TaskID(id), s.unsure()})
	}
	return out, true, err
}

// pickTypical takes typical tasks of the groups with the fewest labels. There are as many groups
// as labels and places in the queue, as in the paper, or as the sample has room for.
func pickTypical(ctx context.Context, s *selection) (out []picked, _ bool, _ error) {
	clusters := min(s.space.Labelled()+s.r.size, max(typicalStart, s.space.Len()/pointsPerCluster))
	typical, err := s.space.Typical(ctx, clusters, keepQueueLengths*s.r.size, s.asked(), s.order)
	for _, k := range typical {
		out = append(out, picked{event.TaskID(k.ID), Reason{Kind: ReasonTypical, GroupLabels: k.Labelled}})
	}
	return out, true, err
}
