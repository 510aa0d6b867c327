package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/sampler/strategy"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// generated are n lines with one of three labels that a few words tell.
func generated(n int, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 3))
	var b strings.Builder
	for range n {
		y := rng.IntN(3)
		text := ""
		for range 5 {
			text += fmt.Sprintf("w%d ", rng.IntN(60))
		}
		text += fmt.Sprintf("topic%d%c", y, 'a'+rng.IntN(6))
		_, _ = fmt.Fprintf(&b, "{\"text\":%q,\"label\":\"class_%d\"}\n", text, y)
	}
	return b.String()
}

func options() Options {
	return Options{
		Strategies: []string{strategy.NameMargin, strategy.NameRandom}, Labels: []int{0, 5, 20, 60}, Batch: 3, Seeds: 2,
		QueueSize: 30, Front: 5, RandomShare: 0.1, Encoder: ngram.New(),
	}
}

func simulated(t testing.TB, d *Data, o Options) Result {
	t.Helper()
	o.Dir = t.TempDir()
	res, err := Run(t.Context(), d, o)
	require.NoError(t, err)
	left, err := os.ReadDir(o.Dir)
	require.NoError(t, err)
	assert.Empty(t, left, "nothing is left behind")
	for _, curves := range [][]Curve{res.Curves, res.WithoutOdds} {
		for i := range curves {
			assert.Positive(t, curves[i].Seconds)
			assert.Positive(t, curves[i].RankSeconds)
			assert.Less(t, curves[i].RankSeconds, curves[i].Seconds)
			curves[i].Seconds, curves[i].RankSeconds = 0, 0
		}
	}
	for i := range res.Summed {
		res.Summed[i].Seconds, res.Summed[i].RankSeconds = 0, 0
	}
	return res
}

func TestSameResultWhateverRunsAtOnce(t *testing.T) {
	d := load(t, generated(150, 1), generated(80, 2))
	o := options()
	o.Jobs = 1
	told := 0
	o.Progress = func(done, all int) {
		assert.Greater(t, done, told)
		told = done
		assert.Equal(t, 4*60, all)
	}
	one := simulated(t, d, o)
	assert.Equal(t, 4*60, told)
	o.Jobs, o.Progress = 4, nil
	assert.Equal(t, one, simulated(t, d, o))

	require.Len(t, one.Curves, 4)
	for i, c := range one.Curves {
		assert.Equal(t, o.Strategies[i/2], c.Strategy)
		assert.Equal(t, i%2, c.Seed)
		require.Len(t, c.Points, 4)
		assert.InDelta(t, math.Log(3), c.Points[0].LogLoss, 0.1, "next to nothing is known")
		assert.Greater(t, c.Points[3].Accuracy, c.Points[1].Accuracy)
		assert.Greater(t, c.Points[3].Accuracy, 0.8)
		assert.Less(t, c.Points[3].LogLoss, c.Points[1].LogLoss)
	}
	assert.NotEqual(t, one.Curves[2].Points, one.Curves[3].Points, "another seed, another order")
	// Seed 1 alone is the same curve.
	o.Strategies = []string{strategy.NameRandom}
	assert.Equal(t, one.Curves[2:], simulated(t, d, o).Curves)
}

func TestJSONIsWhatPeopleScriptAgainst(t *testing.T) {
	d := load(t, generated(60, 1), generated(40, 2))
	o := options()
	o.Labels, o.Seeds = []int{0, 20}, 1
	got, err := json.MarshalIndent(simulated(t, d, o), "", "  ")
	require.NoError(t, err)
	var shape any
	require.NoError(t, json.Unmarshal(got, &shape))
	got, err = json.MarshalIndent(kinds(shape), "", "  ")
	require.NoError(t, err)
	golden := filepath.Join("testdata", "shape.json")
	if *update {
		require.NoError(t, os.WriteFile(golden, append(got, '\n'), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(got))
}

// The same random tasks come first, whatever the strategy and the batch, and what is asked is told
// by its line.
func TestStrategiesStartWithTheSameRandomTasks(t *testing.T) {
	d := load(t, "\n"+generated(150, 1), generated(40, 2)) // task n is on line n+1
	o := options()
	o.Labels, o.Start, o.Asked = []int{5, 12, 40}, 12, true
	for _, batch := range []int{1, 7} {
		o.Batch = batch
		curves := simulated(t, d, o).Curves
		for seed := range o.Seeds {
			margin, random := curves[seed].Asked, curves[o.Seeds+seed].Asked
			require.Len(t, margin, 40)
			require.Len(t, random, 40)
			assert.Equal(t, random[:12], margin[:12])
			assert.NotEqual(t, random, margin)
			for _, of := range [][]int{margin, random} {
				seen := map[int]bool{}
				for _, n := range of {
					assert.False(t, seen[n], "line %d is asked twice", n)
					seen[n] = true
					assert.True(t, n >= 2 && n <= 151, "line %d", n)
				}
			}
			for i := range 2 { // the points of 5 and 12 labels
				assert.Equal(t, curves[o.Seeds+seed].Points[i].Labels, curves[seed].Points[i].Labels)
				assert.InDelta(t, curves[o.Seeds+seed].Points[i].Accuracy, curves[seed].Points[i].Accuracy, 1e-12)
			}
		}
		assert.NotEqual(t, curves[0].Asked[:12], curves[1].Asked[:12], "another seed, another start")
	}
	o.Start = -1
	_, err := Run(t.Context(), d, o)
	require.ErrorContains(t, err, "-1 tasks to start with")
	o.Start, o.Asked, o.Labels = 500, false, []int{20}
	curves := simulated(t, d, o).Curves
	assert.Nil(t, curves[0].Asked)
	assert.Equal(t, curves[2].Points, curves[0].Points, "all of them are random")
}

// kinds replaces figures that may improve by their kind.
func kinds(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if _, number := x.(float64); number && k != "labels" && k != "seed" {
				v[k] = "number"
				continue
			}
			v[k] = kinds(x)
		}
		return v
	case []any:
		for i := range v {
			v[i] = kinds(v[i])
		}
	}
	return v
}

func TestLabelsBeyondTheDataAreAllOfThem(t *testing.T) {
	d := load(t, generated(30, 1), generated(20, 2))
	o := options()
	o.Labels = []int{10, 40, 90}
	for _, c := range simulated(t, d, o).Curves {
		require.Len(t, c.Points, 2)
		assert.Equal(t, 30, c.Points[1].Labels)
	}
}

// With all labels given, the strategies differ in the order alone, and the model
// is a function of the labels. Settings are chosen from the first 64.
func TestStrategiesMeetWhenAllIsLabelled(t *testing.T) {
	d := load(t, generated(64, 1), generated(40, 2))
	o := options()
	o.Labels = []int{64}
	res := simulated(t, d, o)
	for _, c := range res.Curves[1:] {
		assert.InDelta(t, res.Curves[0].Points[0].LogLoss, c.Points[0].LogLoss, 0.005)
	}
}

func TestSeveralLabelsAndSeveralAnnotators(t *testing.T) {
	var lines strings.Builder
	rng := rand.New(rand.NewPCG(4, 4))
	for range 120 {
		a, b := rng.IntN(2) == 0, rng.IntN(2) == 0
		text, labels := fmt.Sprintf("w%d", rng.IntN(30)), []string{}
		if a {
			text, labels = text+" alpha", append(labels, "a_label")
		}
		if b {
			text, labels = text+" beta", append(labels, "b_label")
		}
		l, err := json.Marshal(map[string]any{"text": text, "labels": labels})
		require.NoError(t, err)
		lines.Write(append(l, '\n'))
	}
	o := options()
	o.Labels, o.Seeds = []int{0, 80}, 1
	for _, c := range simulated(t, load(t, lines.String(), lines.String()), o).Curves {
		assert.InDelta(t, 2*math.Ln2, c.Points[0].LogLoss, 0.1)
		assert.Greater(t, c.Points[1].Accuracy, 0.95)
		assert.Greater(t, c.Points[1].MacroF1, 0.95)
	}
	export := file(t, "export.json", reviews)
	d, err := Load(Source{Train: export, Test: export, LabelConfig: file(t, "c.xml", config)})
	require.NoError(t, err)
	o.Labels = []int{2}
	for _, c := range simulated(t, d, o).Curves {
		assert.InDelta(t, 1.0, c.Points[0].Accuracy, 1e-9)
	}
}

func TestShippedData(t *testing.T) {
	dir := filepath.Join("..", "..", "data", "clinc10")
	d, err := Load(Source{
		Train: filepath.Join(dir, "tasks.jsonl"), Test: filepath.Join(dir, "test.jsonl"), LabelConfig: filepath.Join(dir, "label_config.xml"),
	})
	require.NoError(t, err)
	o := options()
	o.Labels, o.Batch = []int{50, 150}, 10
	for _, c := range simulated(t, d, o).Curves {
		assert.Greater(t, c.Points[1].Accuracy, 0.55, c.Strategy)
		assert.Greater(t, c.Points[1].Accuracy, c.Points[0].Accuracy, c.Strategy)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	d := load(t, generated(150, 1), generated(80, 2))
	o := options()
	o.Dir = t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(int, int) { cancel() }
	_, err := Run(ctx, d, o)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("ended with %v", err)
	}
	left, err := os.ReadDir(o.Dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestOptionsAreCheckedAtOnce(t *testing.T) {
	_, err := Run(t.Context(), &Data{}, Options{Strategies: []string{"best", "margin", "margin"}, Labels: []int{10, 5, -1}, Jobs: -1})
	for _, want := range []string{`"best"`, "named twice", "must rise: 5 comes after 10", "-1 labels", "batch 0", "0 seeds", "-1 jobs"} {
		assert.ErrorContains(t, err, want)
	}
	_, err = Run(t.Context(), &Data{}, Options{Batch: 1, Seeds: 1})
	assert.ErrorContains(t, err, "no strategy")
	assert.ErrorContains(t, err, "no numbers of labels")
}

func TestScoresOfKnownAnswers(t *testing.T) {
	labels := []string{"a", "b", "c"}
	var c score.Scores
	for _, x := range []struct {
		truth, said string
		p           []float64
	}{
		{"a", "a", []float64{.8, .1, .1}},
		{"a", "b", []float64{.3, .6, .1}},
		{"b", "b", []float64{.1, .8, .1}},
		{"b", "", []float64{.4, .3, .3}},
	} {
		var said []string
		if x.said != "" {
			said = []string{x.said}
		}
		c.Add(compare([]string{x.truth}, said, x.said != ""))
		c.AddProbabilities([]string{x.truth}, labels, x.p, true)
	}
	assert.InDelta(t, 2./4, c.Accuracy(), 1e-12)
	assert.InDelta(t, (2./3+1./2)/2, c.MacroF1Of(labels), 1e-12, "c is not in the data")
	assert.InDelta(t, -math.Log(.8*.3*.8*.3), c.LogLoss, 1e-12)
	assert.InDelta(t, (2*.2+.6+.4)/4, c.ECE(), 1e-12)

	// Without a distribution all labels are as likely.
	q := question{labels: []string{"a", "b", "c", "d"}}
	assert.Equal(t, []float64{.25, .25, .25, .25}, q.distributionFor(nil).P)
	q.Multiple = true
	assert.Equal(t, []float64{.5, .5, .5, .5}, q.distributionFor(nil).P)

	var m score.Scores
	m.Add(compare([]string{"a", "c"}, []string{"c", "a"}, true))
	m.Add(compare([]string{"a", "c"}, []string{"c"}, true))
	m.Add(compare(nil, nil, true))
	m.Add(compare(nil, nil, false))
	m.AddProbabilities([]string{"a", "c"}, labels, []float64{.9, .2, .4}, false)
	assert.InDelta(t, 2./4, m.Accuracy(), 1e-12, "an abstention is wrong, none of them is an answer")
	assert.InDelta(t, -math.Log(.9*.8*.4), m.LogLoss, 1e-12)
	assert.InDelta(t, (.1+.2+.6)/3, m.ECE(), 1e-12)
	assert.InDelta(t, 2*3./(2*3+1), m.MicroF1(), 1e-12)
}

func TestTableAndPlot(t *testing.T) {
	curve := func(s string, seed int, y ...float64) Curve {
		c := Curve{Strategy: s, Seed: seed}
		for i, v := range y {
			c.Points = append(c.Points, Point{Labels: 50 * i, Accuracy: v, MacroF1: v / 2})
		}
		return c
	}
	r := Result{Curves: []Curve{curve("margin", 0, 0, .4, .6), curve("margin", 1, 0, .5, .8), curve("random", 0, 0, .3, .5), curve("random", 1, 0, .3, .4)}}
	var b bytes.Buffer
	require.NoError(t, r.Table(&b))
	assert.Equal(t, `strategy   labels   accuracy        macro-F1        labels saved against random
margin     0        0.000 ± 0.000   0.000 ± 0.000   +0 ± 0
margin     50       0.450 ± 0.071   0.225 ± 0.035   +50
margin     100      0.700 ± 0.141   0.350 ± 0.071   more than +0
random     0        0.000 ± 0.000   0.000 ± 0.000
random     50       0.300 ± 0.000   0.150 ± 0.000
random     100      0.450 ± 0.071   0.225 ± 0.035
`, b.String())
	for _, r := range []Result{r, {Curves: []Curve{curve("margin", 0, .7)}}} {
		b.Reset()
		require.NoError(t, r.Plot(&b, `a <title> & "more"`))
		assert.NotContains(t, b.String(), "NaN")
		assert.NotContains(t, b.String(), "Inf")
		lines := 0
		for dec := xml.NewDecoder(&b); ; {
			tok, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "polyline" {
				lines++
			}
		}
		assert.Equal(t, 2*len(r.Rows())/len(r.Curves[0].Points), lines)
	}
}

// A band is one standard error of the mean wide, to both sides.
func TestBandsAreStandardErrors(t *testing.T) {
	r := Result{}
	for seed, y := range []float64{.1, .2, .3, .4} {
		r.Curves = append(r.Curves, Curve{Strategy: "margin", Seed: seed, Points: []Point{{Accuracy: y}, {Labels: 100, Accuracy: y}}})
	}
	var b bytes.Buffer
	require.NoError(t, r.Plot(&b, "bands"))
	_, points, ok := strings.Cut(b.String(), `<polygon points="`)
	require.True(t, ok)
	var x, upper, lower float64
	_, err := fmt.Sscanf(points, "%f,%f", &x, &upper)
	require.NoError(t, err)
	_, err = fmt.Sscanf(strings.Fields(points)[2], "%f,%f", &x, &lower)
	require.NoError(t, err)
	low, high, _ := heights(.25-.0645, .25+.0645) // sqrt(.05/3/4)
	assert.InDelta(t, (panelBottom-panelTop)*2*.0645/(high-low), lower-upper, .2)
}

func TestAllStrategiesFitIntoAPlot(t *testing.T) {
	r := Result{}
	for _, s := range strategy.Names() {
		r.Curves = append(r.Curves, Curve{Strategy: s, Points: []Point{{Accuracy: .9, MacroF1: .8}, {Labels: 100, Accuracy: .95, MacroF1: .9}}})
	}
	var b bytes.Buffer
	require.NoError(t, r.Plot(&b, "all"))
	styles := map[string]bool{}
	for _, line := range strings.Split(b.String(), "\n") {
		_, rest, legend := strings.Cut(line, `stroke-width="3"/><text x="`)
		if !legend {
			continue
		}
		var x, y int
		_, err := fmt.Sscanf(rest, `%d" y="%d"`, &x, &y)
		require.NoError(t, err)
		name := rest[strings.Index(rest, ">")+1 : strings.Index(rest, "<")]
		assert.LessOrEqual(t, x+8*len(name), plotWidth, name)
		styles[line[strings.Index(line, "stroke="):strings.Index(line, " stroke-width")]] = true
	}
	assert.Len(t, styles, len(strategy.Names()), "no two look alike")
	assert.NotContains(t, b.String(), `text-anchor="end">0<`, "the axis begins below what there is to see")
}

func TestAxesHoldWhatTheyShow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bottom := rapid.Float64Range(0, 1).Draw(t, "bottom")
		top := rapid.Float64Range(bottom, 1).Draw(t, "top")
		low, high, step := heights(bottom, top)
		assert.GreaterOrEqual(t, bottom, low-1e-9)
		assert.LessOrEqual(t, top, high+1e-9)
		assert.GreaterOrEqual(t, low, 0.0)
		assert.Positive(t, step)
		assert.LessOrEqual(t, (high-low)/step, 7.0)
	})
}

func TestNiceSteps(t *testing.T) {
	for _, c := range []struct {
		length float64
		n      int
		want   float64
	}{{1, 5, .2}, {.62, 5, .2}, {500, 6, 100}, {5000, 6, 1000}, {25, 6, 5}, {1, 6, .2}} {
		assert.InDelta(t, c.want, niceStep(c.length, c.n), 1e-12)
	}
}
