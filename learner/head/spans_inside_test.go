package head

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
)

const nerConfig = `<View><Labels name="ner" toName="t"><Label value="PER"/><Label value="LOC"/></Labels><Text name="t" value="$text"/></View>`

func nerQuestion(t testing.TB, config string) *Spec {
	t.Helper()
	cfg, err := labelconfig.Parse(config)
	require.NoError(t, err)
	require.NoError(t, Decide(cfg).Check())
	return NewSpec(Decide(cfg).Learned()[0])
}

func textData(text string) json.RawMessage {
	b, _ := json.Marshal(map[string]string{"text": text})
	return b
}

// marking is a text with its spans written [LABEL so], and the result that says so.
func marking(t testing.TB, q *Spec, marked string) (json.RawMessage, json.RawMessage) {
	t.Helper()
	var text strings.Builder
	var spans []regions.Span
	for marked != "" {
		before, rest, ok := strings.Cut(marked, "[")
		text.WriteString(before)
		if !ok {
			break
		}
		span, after, ok := strings.Cut(rest, "]")
		label, said, ok2 := strings.Cut(span, " ")
		require.True(t, ok && ok2, marked)
		from := text.Len()
		text.WriteString(said)
		spans = append(spans, regions.Span{Start: from, End: text.Len(), Labels: []string{label}})
		marked = after
	}
	data := textData(text.String())
	p, err := content.Passage(q.objects[0], data)
	require.NoError(t, err)
	result, err := json.Marshal(append([]regions.Region{}, regions.EncodeSpans(q.Control, "r", p, spans)...))
	require.NoError(t, err)
	return data, result
}

func example(t testing.TB, q *Spec, id int64, marked ...string) model.Example {
	t.Helper()
	ts := event.TaskState{Task: event.Task{ID: event.TaskID(id)}}
	for i, m := range marked {
		data, result := marking(t, q, m)
		ts.Task.Data = data
		ts.Annotations = append(ts.Annotations, event.Annotation{ID: event.AnnotationID(i + 1), Result: result})
	}
	said := q.Kind.Aggregate(q, ts)
	require.Len(t, said.Annotations, len(marked))
	return model.Example{ID: id, X: q.Kind.Features(q, ts.Task.Data, ngram.New()), Target: said.Target, Weight: 1}
}

// What annotators marked becomes tokens, and tokens the spans again.
func TestLessonsOfSpans(t *testing.T) {
	q := nerQuestion(t, nerConfig)
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
			e := example(t, q, 1, tt.marked...)
			var got []string
			for _, f := range (&taggerView{classes: 2}).truth(e) {
				got = append(got, fmt.Sprintf("%d-%d %s", f.from, f.to, q.Labels[f.label]))
			}
			assert.Equal(t, tt.want, strings.Join(got, ", "))
		})
	}
	// Two annotators who disagree make a soft target.
	e := example(t, q, 1, "[PER Ada]", "Ada")
	require.Len(t, e.Target, 1)
	assert.InDelta(t, 0.5, e.Target[0].P, 0)
	// Of overlapping spans the one that starts first holds, the longest of those.
	d := q.document(textData("a b c d"))
	shares := q.tag([]regions.Span{
		{Start: 2, End: 5, Labels: []string{"LOC"}}, {Start: 0, End: 1, Labels: []string{"LOC"}}, {Start: 0, End: 3, Labels: []string{"PER"}}, {Start: 6, End: 7, Labels: []string{"LOC"}},
	}, d.tokens[0], 0)
	assert.Equal(t, []model.Share{{Class: 0, P: 1}, {Class: 5, P: 1}, {Class: 14, P: 1}}, shares)
}

// sentence is one of many that are easy to learn.
func sentenceOf(rng *rand.Rand) string {
	people, places := []string{"Ada", "Bob Marley", "Zoë", "José Garcia"}, []string{"Rome", "東京", "New York", "Paris"}
	switch rng.IntN(4) {
	case 0:
		return "yesterday [PER " + people[rng.IntN(4)] + "] went to [LOC " + places[rng.IntN(4)] + "] again"
	case 1:
		return "Mr. [PER " + people[rng.IntN(4)] + "] said nothing"
	case 2:
		return "in [LOC " + places[rng.IntN(4)] + "] it rains"
	}
	return "nothing happened at all"
}

// Must always hold, 2: whatever was put, replaced and removed in whatever order, at
// rest the tagger is the one that only ever saw what is left.
func TestTaggerIsAFunctionOfItsExamples(t *testing.T) {
	q := nerQuestion(t, nerConfig)
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 7))
		s := spans{}.Space().Defaults
		a := newTagger(2, s)
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
				a.Settle(ctx, 0.01)
			default:
				held[id] = example(t, q, id, sentenceOf(rng))
				require.NoError(rt, a.Put(held[id]))
			}
		}
		require.True(rt, a.Settle(context.Background(), 0.002).Done)
		b, c := newTagger(2, s), newTagger(2, s)
		for _, e := range held {
			require.NoError(rt, b.Put(e))
		}
		require.True(rt, b.Settle(context.Background(), 0.002).Done)
		require.Equal(rt, b.Len(), a.Len())
		require.Equal(rt, b.DualNumbers(), a.DualNumbers())
		numbers := 0
		a.Duals(func(e model.Example, duals []float32) bool {
			numbers += len(duals)
			require.NoError(rt, c.Resume(e, duals))
			return true
		})
		require.Equal(rt, a.DualNumbers(), numbers)
		require.LessOrEqual(rt, c.Settle(context.Background(), 0.01).Passes, 4, "resumed where the other ended")
		var sa, sb, sc Scratch
		for range 10 {
			x := example(t, q, 99, sentenceOf(rng)).X.Tokens
			a.view().predictTokens(x, nil, &sa)
			b.view().predictTokens(x, nil, &sb)
			c.view().predictTokens(x, nil, &sc)
			for i := range sb.tokenProbs.p {
				if math.Abs(sa.tokenProbs.p[i]-sb.tokenProbs.p[i]) > 0.01 || math.Abs(sc.tokenProbs.p[i]-sb.tokenProbs.p[i]) > 0.015 {
					rt.Fatalf("%v, from scratch %v, resumed %v", sa.tokenProbs.p, sb.tokenProbs.p, sc.tokenProbs.p)
				}
			}
		}
	})
}

func TestTaggerRefusesForeignTargets(t *testing.T) {
	q := nerQuestion(t, nerConfig)
	m := newTagger(2, spans{}.Space().Defaults)
	e := example(t, q, 1, "[PER Ada] met")
	e.Target = append(e.Target, model.Share{Class: 8, P: 1})
	assert.Error(t, m.Put(e))
	assert.Zero(t, m.Len())
}

// Nothing is found while nobody has marked anything.
func TestNoSpansBeforeTheFirst(t *testing.T) {
	q := nerQuestion(t, nerConfig)
	m := newTagger(2, spans{}.Space().Defaults)
	require.NoError(t, m.Put(example(t, q, 1, "nothing here")))
	var s Scratch
	v := m.view()
	v.predictTokens(example(t, q, 2, "Ada met Bob").X.Tokens, nil, &s)
	assert.Empty(t, v.viterbi(&s))
	require.NoError(t, m.Put(example(t, q, 3, "[PER Ada] here")))
	require.True(t, m.Remove(3))
	v = m.view()
	v.predictTokens(example(t, q, 2, "Ada met Bob").X.Tokens, nil, &s)
	assert.Empty(t, v.viterbi(&s))
}

// trained is a tagger that has learned n sentences.
func trained(t testing.TB, q *Spec, n int) *tagger {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	m := newTagger(len(q.Labels), spans{}.Space().Defaults)
	for i := range n {
		require.NoError(t, m.Put(example(t, q, int64(i+1), sentenceOf(rng))))
	}
	m.Settle(context.Background(), 0.01)
	return m
}

// Spans do not go over from one object to the next, carry labels of the config and
// are found in unseen texts.
func TestSpotterAnswers(t *testing.T) {
	two := `<View><Labels name="ner" toName="t,u"><Label value="PER"/><Label value="LOC"/></Labels><Text name="t" value="$text"/><HyperText name="u" value="$html"/></View>`
	one, q := nerQuestion(t, nerConfig), nerQuestion(t, two)
	m := q.Kind.Snapshot(q, trained(t, one, 60))
	data := json.RawMessage(`{"text":"yesterday Bob Marley","html":"<p>went to <b>Rome</b> again</p>"}`)
	var s Scratch
	regions, confidence := m.Answer("id", Sample{Data: data, X: q.Kind.Features(q, data, ngram.New())}, &s)
	require.Len(t, regions, 2)
	assert.JSONEq(t, `{"start":10,"end":20,"text":"Bob Marley","labels":["PER"]}`, string(regions[0].Value))
	assert.Equal(t, "t", regions[0].ToName)
	assert.JSONEq(t, `{"start":"/p[1]/b[1]/text()[1]","end":"/p[1]/b[1]/text()[1]","startOffset":0,"endOffset":4,"globalOffsets":{"start":8,"end":12},"text":"Rome","labels":["LOC"]}`, string(regions[1].Value))
	for _, r := range regions {
		assert.Greater(t, *r.Score, 0.3)
		assert.LessOrEqual(t, *r.Score, 1.0)
	}
	assert.Greater(t, confidence, 0.1)
	assert.LessOrEqual(t, confidence, 1.0)
	d := m.Distribution(Sample{Data: data, X: q.Kind.Features(q, data, ngram.New())}, make([]float64, 2), &s)
	assert.InDelta(t, 1, d.P[0]+d.P[1], 1e-9)
	assert.True(t, d.Exclusive)
}

// What is plainly without a span is surer than what may have one.
func TestSurenessOrders(t *testing.T) {
	q := nerQuestion(t, nerConfig)
	v := trained(t, q, 60).view()
	sure := func(text string) float64 {
		var s Scratch
		v.predictTokens(q.Kind.Features(q, textData(text), ngram.New()).Tokens, nil, &s)
		return v.certainty(&s)
	}
	assert.Greater(t, sure("nothing happened at all"), sure("Carl visits Berlin"))
	assert.Greater(t, sure("in Rome it rains"), sure("Carl visits Berlin"))
	assert.Zero(t, sure(""))
}

func TestProgressOfSpans(t *testing.T) {
	q := nerQuestion(t, nerConfig)
	m := trained(t, q, 80)
	var p score.Prequential
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range 20 {
		q.Kind.Score(q, m, example(t, q, int64(1000+i), sentenceOf(rng)), &p)
	}
	assert.InDelta(t, 20, p.Cumulative.Tasks, 0)
	assert.Greater(t, p.Cumulative.Accuracy(), 0.8)
	assert.Greater(t, p.Cumulative.MacroF1(), 0.8)
	assert.Less(t, p.Cumulative.MeanLogLoss(), 0.5)
	for l := range p.Cumulative.Labels {
		assert.Contains(t, q.Labels, l)
	}
	loss, accuracy := q.Kind.Evaluate(q, m, []model.Example{example(t, q, 1, "in [LOC Rome] it rains"), example(t, q, 2, "in Rome it rains")})
	assert.Positive(t, loss)
	assert.InDelta(t, 0.5, accuracy, 0)
}
