package simulate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/sampler/strategy"
)

// Strategies that look at tasks together ask by the vectors of the encoder, or by the labels there
// are, one task at a time and in batches. Two runs ask the same, and no two strategies do.
func TestStrategiesThatLookAtTasksTogetherAreSimulated(t *testing.T) {
	d := load(t, generated(150, 1), generated(80, 2))
	for _, batch := range []int{1, 10} {
		o := options()
		o.Strategies = []string{
			strategy.NameCoverage, strategy.NameMarginKMeans, strategy.NameBadge, strategy.NameTypiclust, strategy.NameClassBalanced,
			strategy.NameMargin, strategy.NameRandom,
		}
		o.Labels, o.Batch, o.Encoder = []int{10, 20, 40}, batch, encoders.Default()
		res := simulated(t, d, o)
		assert.Equal(t, res, simulated(t, d, o))
		areas := res.Areas()
		require.Len(t, areas, len(o.Strategies))
		losses := map[float64]string{}
		for i, a := range areas {
			assert.Equal(t, a.Strategy == strategy.NameRandom, a.Accuracy.StandardError == nil)
			loss := 0.0
			for _, c := range res.Curves {
				if c.Strategy == o.Strategies[i] {
					for _, p := range c.Points {
						loss += p.LogLoss
					}
				}
			}
			assert.Empty(t, losses[loss], "%s asks the same as %s", o.Strategies[i], losses[loss])
			losses[loss] = o.Strategies[i]
		}
	}
}
