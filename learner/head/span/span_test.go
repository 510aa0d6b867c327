package span

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/head/span/spantest"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/vector"
)

// schemeOf returns the scheme of a config's first control.
func schemeOf(t testing.TB, config string) *Scheme {
	t.Helper()
	c, objects := spantest.Parse(t, config)
	s := &Scheme{Control: c, Objects: objects, Labels: c.LabelNames(), Classes: map[string]int32{}}
	for i, l := range s.Labels {
		s.Classes[l] = int32(i)
	}
	return s
}

// tokens returns the vectors of a text's tokens.
func tokens(c *Scheme, data []byte) []vector.Vector {
	return c.Document(data).Features(ngram.New()).Tokens
}

// example is what the annotators of a text marked, each in a copy of it, as the mean of
// their targets.
func example(t testing.TB, c *Scheme, id int64, marked ...string) model.Example {
	t.Helper()
	e := model.Example{ID: id, Weight: 1}
	for _, m := range marked {
		data, drawn := spantest.Mark(t, c.Control, c.Objects[0], m)
		shares, ok, err := c.Target(c.Document(data), drawn)
		require.NoError(t, err)
		require.True(t, ok)
		e.X.Tokens = tokens(c, data)
		for _, s := range shares {
			e.Target = append(e.Target, model.Share{Class: s.Class, P: s.P / float32(len(marked))})
		}
	}
	slices.SortFunc(e.Target, func(a, b model.Share) int { return cmp.Compare(a.Class, b.Class) })
	e.Target = mergeShares(e.Target)
	return e
}

// mergeShares adds up shares of the same class, which stand side by side.
func mergeShares(shares []model.Share) []model.Share {
	var out []model.Share
	for _, s := range shares {
		if last := len(out) - 1; last >= 0 && out[last].Class == s.Class {
			out[last].P += s.P
			continue
		}
		out = append(out, s)
	}
	return out
}

// What annotators marked becomes tokens, and tokens the spans again.
func TestTargetsAreTheSpansAgain(t *testing.T) {
	c := schemeOf(t, spantest.Config)
	for name, tt := range map[string]struct {
		marked []string
		want   string
	}{
		"words":                    {[]string{"[PER Ada Lovelace] met [LOC Rome]"}, "0-2 PER, 3-4 LOC"},
		"adjacent":                 {[]string{"[PER Ada][PER  Bob] x"}, "0-1 PER, 1-2 PER"},
		"none":                     {[]string{"nobody"}, ""},
		"whole text":               {[]string{"[LOC 東京 😀]"}, "0-3 LOC"},
		"most of a word":           {[]string{"the [LOC Kopenhage]ns x"}, "1-2 LOC"},
		"little of a word":         {[]string{"the [LOC Kop]enhagens x"}, "1-2 LOC"},
		"a word and a bit":         {[]string{"[PER Ada Lo]velace"}, "0-1 PER"},
		"with its white space":     {[]string{"x[PER  Ada ]y"}, "1-2 PER"},
		"white space only":         {[]string{"x[PER   ]y"}, ""},
		"CRLF and combining marks": {[]string{"Cafe\u0301\r\n[PER Jose\u0301]"}, "1-2 PER"},
		"most annotators":          {[]string{"[PER Ada] met Bob", "[PER Ada] met [PER Bob]", "[LOC Ada] met Bob"}, "0-1 PER"},
	} {
		t.Run(name, func(t *testing.T) {
			e := example(t, c, 1, tt.marked...)
			var got []string
			for _, f := range (&View{classes: 2}).truth(e) {
				got = append(got, fmt.Sprintf("%d-%d %s", f.from, f.to, c.Labels[f.label]))
			}
			assert.Equal(t, tt.want, strings.Join(got, ", "))
		})
	}
	// Two annotators who disagree make a soft target.
	e := example(t, c, 1, "[PER Ada]", "Ada")
	require.Len(t, e.Target, 1)
	assert.InDelta(t, 0.5, e.Target[0].P, 0)
	// Of overlapping spans the one that starts first holds, the longest of those.
	d := c.Document(spantest.Data("a b c d"))
	shares := c.shares([]regions.Span{
		{Start: 2, End: 5, Labels: []string{"LOC"}}, {Start: 0, End: 1, Labels: []string{"LOC"}}, {Start: 0, End: 3, Labels: []string{"PER"}}, {Start: 6, End: 7, Labels: []string{"LOC"}},
	}, d.tokens[0], 0)
	assert.Equal(t, []model.Share{{Class: 0, P: 1}, {Class: 5, P: 1}, {Class: 14, P: 1}}, shares)
}

// Must always hold, 2: whatever was put, replaced and removed in whatever order, at
// rest the tagger is the one that only ever saw what is left.
func TestTaggerIsAFunctionOfItsExamples(t *testing.T) {
	c := schemeOf(t, spantest.Config)
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 7))
		s := Defaults()
		a := NewTagger(2, s)
		held := map[int64]model.Example{}
		for range rapid.IntRange(1, 40).Draw(rt, "acts") {
			id := int64(1 + rng.IntN(12))
			switch rng.IntN(5) {
			case 0:
				_, had := held[id]
				assert.Equal(rt, had, a.Remove(id))
				delete(held, id)
			case 1:
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				a.Optimize(ctx, 0.01)
			default:
				held[id] = example(t, c, id, spantest.Sentence(rng))
				require.NoError(rt, a.Upsert(held[id]))
			}
		}
		require.True(rt, a.Optimize(context.Background(), 0.002).Done)
		b, resumed := NewTagger(2, s), NewTagger(2, s)
		for _, e := range held {
			require.NoError(rt, b.Upsert(e))
		}
		require.True(rt, b.Optimize(context.Background(), 0.002).Done)
		require.Equal(rt, b.Len(), a.Len())
		require.Equal(rt, b.DualNumbers(), a.DualNumbers())
		numbers := 0
		a.Duals(func(e model.Example, duals []float32) bool {
			numbers += len(duals)
			require.NoError(rt, resumed.UpsertWarm(e, duals))
			return true
		})
		require.Equal(rt, a.DualNumbers(), numbers)
		require.LessOrEqual(rt, resumed.Optimize(context.Background(), 0.01).Passes, 4, "resumed where the other ended")
		var sa, sb, sc Scratch
		for range 10 {
			x := example(t, c, 99, spantest.Sentence(rng)).X.Tokens
			a.View().predictTokens(x, nil, &sa)
			b.View().predictTokens(x, nil, &sb)
			resumed.View().predictTokens(x, nil, &sc)
			for i := range sb.probs.tags {
				if math.Abs(sa.probs.tags[i]-sb.probs.tags[i]) > 0.01 || math.Abs(sc.probs.tags[i]-sb.probs.tags[i]) > 0.015 {
					rt.Fatalf("%v, from scratch %v, resumed %v", sa.probs.tags, sb.probs.tags, sc.probs.tags)
				}
			}
		}
	})
}

func TestTaggerRefusesForeignTargets(t *testing.T) {
	c := schemeOf(t, spantest.Config)
	m := NewTagger(2, Defaults())
	e := example(t, c, 1, "[PER Ada] met")
	e.Target = append(e.Target, model.Share{Class: 8, P: 1})
	assert.Error(t, m.Upsert(e))
	assert.Zero(t, m.Len())
}

// Nothing is found while nobody has marked anything.
func TestNoSpansBeforeTheFirst(t *testing.T) {
	c := schemeOf(t, spantest.Config)
	m := NewTagger(2, Defaults())
	require.NoError(t, m.Upsert(example(t, c, 1, "nothing here")))
	var s Scratch
	v := m.View()
	v.predictTokens(example(t, c, 2, "Ada met Bob").X.Tokens, nil, &s)
	assert.Empty(t, v.viterbi(&s))
	require.NoError(t, m.Upsert(example(t, c, 3, "[PER Ada] here")))
	require.True(t, m.Remove(3))
	v = m.View()
	v.predictTokens(example(t, c, 2, "Ada met Bob").X.Tokens, nil, &s)
	assert.Empty(t, v.viterbi(&s))
}

// trained is a tagger that has learned n sentences.
func trained(t testing.TB, c *Scheme, n int) *Tagger {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	m := NewTagger(len(c.Labels), Defaults())
	for i := range n {
		require.NoError(t, m.Upsert(example(t, c, int64(i+1), spantest.Sentence(rng))))
	}
	m.Optimize(context.Background(), 0.01)
	return m
}

// What is plainly without a span is surer than what may have one.
func TestSurenessOrders(t *testing.T) {
	c := schemeOf(t, spantest.Config)
	v := trained(t, c, 60).View()
	sure := func(text string) float64 {
		var s Scratch
		v.predictTokens(tokens(c, spantest.Data(text)), nil, &s)
		return v.certainty(&s)
	}
	assert.Greater(t, sure("nothing happened at all"), sure("Carl visits Berlin"))
	assert.Greater(t, sure("in Rome it rains"), sure("Carl visits Berlin"))
	assert.Zero(t, sure(""))
}
