package simulate

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
)

func file(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func zipped(t testing.TB, content string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return file(t, "data.bin", b.String())
}

const someLines = `{"text":"my card is lost","label":"lost_card"}

{"text":"what is the fee","label":"fee & <costs> \"$5\"","id":7}
{"text":"is it 7","label":7}
`

func load(t testing.TB, train, test string) *Data {
	t.Helper()
	d, err := Load(Source{Train: file(t, "train.jsonl", train), Test: file(t, "test.jsonl", test)})
	require.NoError(t, err)
	return d
}

func TestLinesMakeAConfigOfTheirLabels(t *testing.T) {
	d := load(t, "\ufeff"+someLines, `{"text":"hello","label":"greeting"}`)
	require.Len(t, d.questions, 1)
	q := d.questions[0]
	assert.False(t, q.Multiple)
	assert.Equal(t, []string{"7", `fee & <costs> "＄5"`, "greeting", "lost_card"}, q.labels)
	assert.Equal(t, 3, d.Pool())
	assert.Equal(t, 1, d.Test())
	assert.Equal(t, 4, d.Classes())
	for i, want := range []string{"lost_card", `fee & <costs> "＄5"`, "7"} {
		assert.Equal(t, []string{want}, d.pool[i].truth[0].labels)
		labels, ok, err := regions.DecodeChoices(q.Control, d.pool[i].results[0])
		require.NoError(t, err)
		assert.True(t, ok)
		assert.Equal(t, []string{want}, labels, "what the annotator sends")
	}
	assert.JSONEq(t, `{"text":"what is the fee","id":7}`, string(d.pool[1].task.Data), "the answer is no part of the task")
}

func TestLinesWithSeveralLabels(t *testing.T) {
	d := load(t, `{"text":"a","labels":["x","y","x"]}`+"\n"+`{"text":"b","labels":[]}`, `{"text":"c","label":"z"}`)
	q := d.questions[0]
	assert.True(t, q.Multiple)
	assert.Equal(t, []string{"x", "y", "z"}, q.labels)
	assert.Equal(t, []string{"x", "y"}, d.pool[0].truth[0].labels)
	assert.Empty(t, d.pool[1].truth[0].labels)
	labels, ok, err := regions.DecodeChoices(q.Control, d.pool[1].results[0])
	require.NoError(t, err)
	assert.True(t, ok, "none of them is an answer")
	assert.Empty(t, labels)
}

func TestGzipIsSeenFromTheContent(t *testing.T) {
	d, err := Load(Source{Train: zipped(t, someLines), Test: zipped(t, someLines)})
	require.NoError(t, err)
	assert.Equal(t, 3, d.Pool())
}

const config = `<View><Header value="Read"/><Text name="body" value="$review" granularity="word"/>
	<Choices name="mood" toName="body"><Choice value="good_one" alias="g"/><Choice value="bad one"/></Choices>
	<TextArea name="why" toName="body"/></View>`

// reviews is an export: two annotators who disagree, one who agrees, a skip, and
// an unlabelled task.
const reviews = ` [
 {"id":11,"data":{"review":"fine","stars":5},"annotations":[
  {"id":1,"result":[{"id":"a","from_name":"mood","to_name":"body","type":"choices","value":{"choices":["bad one"]}}]},
  {"id":2,"result":[{"id":"b","from_name":"mood","to_name":"body","type":"choices","value":{"choices":["g"]}}]},
  {"id":3,"result":[{"id":"c","from_name":"mood","to_name":"body","type":"choices","value":{"choices":["g"]}}]},
  {"id":4,"was_cancelled":true,"result":[]}]},
 {"id":12,"data":{"review":"awful","stars":1},"annotations":[
  {"id":5,"result":[{"id":"d","from_name":"mood","to_name":"body","type":"choices","value":{"choices":["bad one"]}}]}]},
 {"id":13,"data":{"review":"unseen","stars":3},"annotations":[]},
 {"id":14,"data":{"review":"skipped","stars":3},"annotations":[{"id":6,"was_cancelled":true,"result":[]}]}
]`

func TestExportWithItsConfig(t *testing.T) {
	s := Source{Train: file(t, "export.json", reviews), Test: zipped(t, reviews), LabelConfig: file(t, "config.xml", config)}
	d, err := Load(s)
	require.NoError(t, err)
	assert.Equal(t, 2, d.Pool(), "what nobody answered is left out")
	assert.Equal(t, config, d.Config)
	assert.Len(t, d.pool[0].results, 3)
	assert.Equal(t, []string{"good_one"}, d.pool[0].truth[0].labels, "the majority")

	s.Train = file(t, "train.jsonl", `{"review":"ok","label":"good_one"}`+"\n"+`{"review":"ok","label":"g"}`)
	d, err = Load(s)
	require.NoError(t, err)
	assert.Equal(t, []string{"good_one"}, d.pool[1].truth[0].labels, "found by its alias")

	s.Anonymous = true
	d, err = Load(s)
	require.NoError(t, err)
	assert.NotContains(t, d.Config, "good")
	assert.NotContains(t, d.Config, "bad")
	assert.ElementsMatch(t, []string{"A1", "A2"}, d.questions[0].labels)
	cfg, err := labelconfig.Parse(d.Config)
	require.NoError(t, err)
	o, ok := cfg.Object("body")
	require.True(t, ok)
	text, err := content.Text(o, d.pool[0].task.Data)
	require.NoError(t, err)
	assert.Equal(t, "ok", text)
	assert.NotEqual(t, d.test[0].truth[0].labels, d.test[1].truth[0].labels)
	for _, it := range d.test {
		labels, _, err := regions.DecodeChoices(d.questions[0].Control, it.results[len(it.results)-1])
		require.NoError(t, err)
		assert.Equal(t, it.truth[0].labels, labels)
	}
}

func TestExportWithoutAConfig(t *testing.T) {
	export := file(t, "export.json", reviews)
	d, err := Load(Source{Train: export, Test: export})
	require.NoError(t, err)
	assert.Equal(t, "mood", d.questions[0].Name)
	assert.Equal(t, []string{"bad one", "g"}, d.questions[0].labels)
	assert.Contains(t, d.Config, `value="$review"`)
}

// The order of anonymous names must not be that of the real ones, or the config
// would tell something.
func TestAnonymousNamesSayNothing(t *testing.T) {
	var lines strings.Builder
	for i := range 30 {
		_, _ = fmt.Fprintf(&lines, "{\"text\":\"t\",\"label\":\"class%02d\"}\n", i)
	}
	path := file(t, "d.jsonl", lines.String())
	d, err := Load(Source{Train: path, Test: path, Anonymous: true})
	require.NoError(t, err)
	require.Len(t, d.questions[0].labels, 30)
	assert.Equal(t, "A1", d.questions[0].labels[0])
	inOrder, seen := 0, map[string]bool{}
	for i, it := range d.pool {
		seen[it.truth[0].labels[0]] = true
		if it.truth[0].labels[0] == fmt.Sprintf("A%d", i+1) {
			inOrder++
		}
	}
	assert.Len(t, seen, 30)
	assert.Less(t, inOrder, 6)
}

func TestErrorsNameTheLineAndTheFix(t *testing.T) {
	good := file(t, "good.jsonl", someLines)
	two := `<View><Text name="t" value="$text"/><Choices name="a" toName="t"><Choice value="x"/><Choice value="y"/></Choices>
		<Choices name="b" toName="t"><Choice value="x"/><Choice value="y"/></Choices></View>`
	for name, c := range map[string]struct {
		train, config string
		want          []string
	}{
		"not JSON":      {"{\"text\":\"a\",\"label\":\"x\"}\nnonsense\n", "", []string{"train:2:", "not a JSON object", `{"text": "...", "label": "..."}`}},
		"null":          {"null", "", []string{"train:1:", "not a JSON object"}},
		"no label":      {`{"text":"a"}`, "", []string{"train:1:", `no "label"`}},
		"no text":       {`{"txt":"a","label":"x"}`, "", []string{"train:1:", "$text"}},
		"empty label":   {`{"text":"a","label":"  "}`, "", []string{"train:1:", "is empty"}},
		"label object":  {`{"text":"a","label":{"x":1}}`, "", []string{"train:1:", "not a text"}},
		"label null":    {`{"text":"a","label":null}`, "", []string{"train:1:", "not a text"}},
		"labels text":   {`{"text":"a","labels":"x"}`, "", []string{"train:1:", "not a list"}},
		"both":          {`{"text":"a","labels":["x"],"label":"x"}`, "", []string{"train:1:", "keep one"}},
		"mixed kinds":   {`{"tokens":["a"],"tags":["O"]}`, "", []string{"tokens and tags", "keep one"}},
		"bad tag":       {`{"tokens":["a"],"tags":["PER"]}`, "", []string{"train:1:", `"PER"`, "B-label"}},
		"tags missing":  {`{"tokens":["a","b"],"tags":["O"]}`, "", []string{"train:1:", "same length"}},
		"tags, label":   {`{"tokens":["a"],"tags":["O"],"label":"x"}`, "", []string{"train:1:", "keep one"}},
		"tags, choices": {`{"tokens":["a"],"tags":["O"]}`, config, []string{"train:1:", "config", "<Labels>"}},
		"empty":         {" \n", "", []string{"train", "is empty"}},
		"one class":     {`{"text":"a","label":"x"}`, `<View><Text name="t" value="$text"/><Choices name="a" toName="t"><Choice value="x"/></Choices></View>`, []string{"config", "single <Choice>"}},
		"bad config":    {`{"text":"a","label":"x"}`, `<View>`, []string{"config", "XML"}},
		"unknown label": {"\n" + `{"text":"a","label":"z"}`, config, []string{"train:2:", `"z"`, "config", "<Choice value="}},
		"too many":      {`{"review":"a","labels":["g","bad one"]}`, config, []string{"train:1:", `choice="multiple"`}},
		"two controls":  {`{"text":"a","label":"x"}`, two, []string{"train:1:", "config", "2 that hone learns"}},
		"cut export":    {reviews[:400], "", []string{"train, task 1 of the list"}},
		"JSON-MIN":      {`[{"text":"a","mood":"x","id":1}]`, "", []string{"train, task 1 of the list", "JSON-MIN"}},
		"no answers":    {`[{"id":1,"data":{"text":"a"},"annotations":[]}]`, "", []string{"train", "none of its 1 tasks", "export"}},
		"mixed":         {reviews, "", []string{"--label-config"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := Source{Train: file(t, "train", c.train), Test: good}
			if c.config != "" {
				s.LabelConfig = file(t, "config", c.config)
			}
			_, err := Load(s)
			require.Error(t, err)
			for _, w := range c.want {
				assert.ErrorContains(t, err, w)
			}
		})
	}
	_, err := Load(Source{Train: good, Test: "nowhere.jsonl"})
	assert.ErrorContains(t, err, "nowhere.jsonl")
}

// FuzzLoad: foreign bytes end in data whose answers fit its config, or in an
// error.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(someLines))
	f.Add([]byte(reviews))
	f.Add([]byte(`{"text":"a","labels":["x\u0000","$y"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := file(t, "data", string(b))
		for _, anonymous := range []bool{false, true} {
			d, err := Load(Source{Train: path, Test: path, Anonymous: anonymous})
			if err != nil {
				continue
			}
			for _, it := range d.pool {
				if !json.Valid(it.task.Data) || len(it.results) == 0 {
					t.Fatalf("task %+v", it)
				}
				for i, q := range d.questions {
					if it.truth[i] == nil {
						continue
					}
					for _, l := range it.truth[i].labels {
						if !strings.Contains(strings.Join(q.labels, "\n"), l) {
							t.Fatalf("truth %q is none of %q", l, q.labels)
						}
					}
				}
			}
		}
	})
}
