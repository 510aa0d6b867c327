package coverage

import "context"

// Gains says by how much each point of a sample would raise the coverage, after each one that is picked
// by whatever rule: Greedy picks the one with the largest gain. It is of the space as it is; one goroutine
// uses both.
type Gains struct{ g *greedy }

// Gains begins with points that are picked already. uncertainty and tie are those of
// Greedy.
func (s *Space) Gains(picked []int64, uncertainty func(id int64) float64, tie func(id int64) uint64) *Gains {
	return &Gains{s.newGreedy(picked, uncertainty, tie)}
}

// Of returns the gain of each point that is asked about, from 0: the rise of the sum over the sample of
// uncertainty times cover. It is 0 for what is picked and for what is not in the sample. The error is the
// context's.
func (x *Gains) Of(ctx context.Context, ids []int64) ([]float64, error) {
	gains, err := x.g.gains(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(ids))
	for i, id := range ids {
		if slot, ok := x.g.s.at[id]; ok {
			out[i] = float64(gains[slot]) / (weightSteps * one)
		}
	}
	return out, nil
}

// Pick has a point cover from now on.
func (x *Gains) Pick(id int64) {
	if slot, ok := x.g.s.at[id]; ok {
		x.g.take(slot)
	}
}
