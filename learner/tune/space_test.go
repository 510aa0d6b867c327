package tune

import (
	"slices"
	"testing"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/encode/text/static"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/head/headtest"
)

// A search that starts beside the defaults would take them for another choice.
func TestEveryDimensionHasTheDefault(t *testing.T) {
	for _, choice := range []string{"single", "multiple"} {
		parsed, err := labelconfig.Parse(`<View><Text name="t" value="$t"/><Choices name="c" toName="t" choice="` + choice + `"><Choice value="red wine"/><Choice value="a train"/></Choices></View>`)
		if err != nil {
			t.Fatal(err)
		}
		dense := slices.Repeat([]encode.Embedder{static.Default()}, 4)
		for n := range len(dense) + 1 {
			q := head.NewSpec(head.Decide(parsed)[0]).WithEncoder(encode.Union(ngram.New(), dense[:n]...))
			for i, a := range dimensions(q) {
				s := Defaults(q)
				a.set(&s, a.byDefault)
				if !Equal(s, Defaults(q)) || !slices.Contains(a.values, a.byDefault) {
					t.Errorf("%s choice, %d dense parts, axis %d starts at %+v, the defaults are %+v", choice, n, i, s, Defaults(q))
				}
			}
		}
	}
}

// Three encoders have as many dense parts: each of them is weighed.
func TestEveryPartIsWeighed(t *testing.T) {
	q := headtest.Choices(t, "single").WithEncoder(encode.Union(ngram.New(), slices.Repeat([]encode.Embedder{static.Default()}, 3)...))
	if got := Defaults(q).Parts; !slices.Equal(got, []float64{0.25, 0.5, 0.5, 1}) {
		t.Fatalf("the parts weigh %v", got)
	}
	met := map[int]map[float64]bool{}
	for _, d := range dimensions(q) {
		for _, v := range d.values {
			s := Defaults(q)
			d.set(&s, v)
			for i, w := range s.Parts {
				if met[i] == nil {
					met[i] = map[float64]bool{}
				}
				met[i][w] = true
			}
		}
	}
	for part := range 4 {
		if !met[part][0] || !met[part][1] {
			t.Errorf("part %d is tried with %v alone", part, met[part])
		}
	}
}

// The mean of a scale is geometric, and what differs in its last bits is the same.
func TestMeanOfADimension(t *testing.T) {
	plain := dimension{values: []float64{0, 0.5, 2}}
	scale := dimension{values: []float64{0.01, 1, 100}, geometric: true}
	for _, c := range []struct {
		d       dimension
		weights []float64
		want    float64
	}{
		{plain, []float64{1, 1, 0}, 0.25},
		{plain, []float64{0, 0, 1e-300}, 2},
		{plain, []float64{1, 0, 0}, 0},
		{plain, []float64{1, 1, 1}, 0.83},
		{plain, []float64{1, 1, 1 + 1e-9}, 0.83},
		{scale, []float64{1, 0, 1}, 1},
		{scale, []float64{1, 1, 0}, 0.1},
	} {
		if got := c.d.mean(c.weights); got != c.want {
			t.Errorf("mean of %v weighed %v is %v, want %v", c.d.values, c.weights, got, c.want)
		}
	}
}
