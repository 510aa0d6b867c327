package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler"
	"github.com/hone-ml/hone/sampler/strategy"
)

// The texts of madeTexts are of topics, each of which has words of its own; some of them are frequent.
const (
	topics       = 5
	wordsOfTopic = 120
	regionTopics = 3 // that the planted strategy asks about
)

// topicWords are the words of the topics, whose letters tell nothing.
var topicWords = func() (out [topics][wordsOfTopic]string) {
	rng := rand.New(rand.NewPCG(7, 7))
	for y := range out {
		for n := range out[y] {
			w := make([]byte, 7)
			for i := range w {
				w[i] = byte('a' + rng.IntN(25))
			}
			out[y][n] = string(w)
		}
	}
	return out
}()

// madeTexts are n lines, each with a topic, of which one in twenty is wrong.
func madeTexts(n int, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 5))
	var b strings.Builder
	for range n {
		y := rng.IntN(topics)
		var words []string
		for range 3 {
			words = append(words, topicWords[y][int(wordsOfTopic*rng.Float64()*rng.Float64())], fmt.Sprintf("z%d", rng.IntN(300)))
		}
		rng.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		if rng.IntN(20) == 0 {
			y = rng.IntN(topics)
		}
		_, _ = fmt.Fprintf(&b, "{\"text\":%q,\"label\":\"A%d\"}\n", strings.Join(words, " "), y)
	}
	return b.String()
}

// region is a planted strategy, ranked by margin: it has tasks of some topics asked before all others.
type region struct {
	sampler.Scorer
	inside map[string]bool // words
}

func newRegion(s sampler.Scorer) sampler.Scorer {
	r := region{s, map[string]bool{}}
	for _, words := range topicWords[:regionTopics] {
		for _, w := range words {
			r.inside[w] = true
		}
	}
	return r
}

func (r region) Estimates(ctx context.Context, p event.ProjectID, tasks []event.Task) ([][]event.Estimate, string, error) {
	out, version, err := r.Scorer.Estimates(ctx, p, tasks)
	for i := range out {
		var data struct{ Text string }
		if err := json.Unmarshal(tasks[i].Data, &data); err != nil {
			return nil, "", err
		}
		q := 0.9
		for _, w := range strings.Fields(data.Text) {
			if r.inside[w] {
				q = 0.5
			}
		}
		out[i] = []event.Estimate{{Control: "label", Classes: &event.Distribution{Labels: []string{"x", "y"}, P: []float64{q, 1 - q}, Exclusive: true}}}
	}
	return out, version, err
}

// What is simulated of the guard is told in JSON and in a table: the share that a strategy chose, whether and
// when it was left, and that from then on all is asked at random. Random has no guard, nor has a
// simulation that is told so.
func TestTheGuardIsSimulatedAndTold(t *testing.T) {
	d := load(t, madeTexts(700, 1), madeTexts(200, 2))
	o := options()
	o.Labels, o.Batch, o.Seeds, o.RandomShare = []int{100, 500}, 50, 1, 0.3
	good := simulated(t, d, o)
	o.scorer = newRegion
	planted := simulated(t, d, o)
	assert.Equal(t, planted, simulated(t, d, o), "two runs are the same")
	o.Unguarded = true
	unguarded := simulated(t, d, o)

	assert.Nil(t, good.Curves[1].Guard, "random has none")
	assert.Nil(t, unguarded.Curves[0].Guard)
	require.NotNil(t, good.Curves[0].Guard)
	assert.Nil(t, good.Curves[0].Guard.Left)
	g := planted.Curves[0].Guard
	require.NotNil(t, g)
	require.NotNil(t, g.Left, "%+v", g)
	assert.Equal(t, "label", g.Left.Control)
	assert.Equal(t, g.Left.Labels, g.Asked+g.Random, "until then")
	assert.InDelta(t, 0.3, float64(g.Random)/float64(g.Asked+g.Random), 0.02)
	assert.Negative(t, g.Controls[0].High)
	assert.Greater(t, planted.Curves[0].Points[1].Accuracy, unguarded.Curves[0].Points[1].Accuracy)

	var b bytes.Buffer
	require.NoError(t, planted.GuardTable(&b))
	assert.Regexp(t, `(?m)^margin +0\.7\d\d +1 of 1 runs +\d+ +-\d+ of \d+$`, b.String())
	b.Reset()
	require.NoError(t, good.GuardTable(&b))
	assert.Regexp(t, `(?m)^margin +0\.\d\d\d +0 of 1 runs`, b.String())
	b.Reset()
	require.NoError(t, unguarded.GuardTable(&b))
	assert.Empty(t, b.String())
	for _, c := range planted.Curves {
		assert.Contains(t, []string{strategy.NameMargin, strategy.NameRandom}, c.Strategy)
	}
}
