package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/records"
)

// trained starts a hone whose project 1 has learned topics from some labels.
func trained(t *testing.T, labels int) (*instance, event.ProjectID) {
	t.Helper()
	s := apptest.NewStudio(t)
	p := s.NewProject(labels + 10)
	h := start(t, apptest.Settings(t.TempDir(), s))
	h.Register(p)
	h.Await(p, "the queue stands", func(p api.Project) bool { return p.Pool == labels+10 && p.Queue.Pushed > 0 })
	for i := range labels {
		task, topic := s.Next(p)
		s.Annotate(task, topic)
		h.Await(p, "learned", func(p api.Project) bool { return p.Labels == i+1 })
	}
	h.Await(p, "the model stands still", func(p api.Project) bool { return p.Settled })
	return h, p
}

func written(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

func TestPredictAFile(t *testing.T) {
	h, p := trained(t, 20)
	var rows [][]string
	var lines []string
	for i := range 230 { // several batches
		text, topic := apptest.Text(1000 + i)
		rows = append(rows, []string{strconv.Itoa(i), text, topic})
		b, err := json.Marshal(map[string]any{"id": i, "text": text, "topic": topic})
		require.NoError(t, err)
		lines = append(lines, string(b))
	}
	table := func(header ...string) string {
		var b strings.Builder
		w := csv.NewWriter(&b)
		require.NoError(t, w.WriteAll(append([][]string{header}, rows...)))
		return b.String()
	}
	right := 0
	check := func(t *testing.T, out string) {
		t.Helper()
		got, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		require.NoError(t, err)
		require.Len(t, got, 231)
		assert.Equal(t, []string{"topic.label", "topic.confidence", "topic.p.Money", "topic.p.Travel", "topic.p.Food", "model_version"}, got[0][3:])
		right = 0
		for i, row := range got[1:] {
			assert.Equal(t, rows[i], row[:3], "the columns of the file, in their order")
			sum := 0.0
			for j, topic := range apptest.Topics {
				v, err := strconv.ParseFloat(row[5+j], 64)
				require.NoError(t, err)
				if sum += v; topic == row[3] {
					assert.Equal(t, row[4], row[5+j], "the confidence is the probability of the label")
				}
			}
			assert.InDelta(t, 1, sum, 1e-4)
			assert.Equal(t, "hone-1", row[8])
			if row[3] == row[2] {
				right++
			}
		}
		assert.Greater(t, right, 150, "what was learned")
	}
	t.Run("CSV", func(t *testing.T) {
		first := h.ok("predict", written(t, "in.csv", table("id", "text", "true topic")), "--project", "1")
		check(t, first)
		again := h.ok("predict", written(t, "again.csv", first), "--project", fmt.Sprint(p))
		assert.True(t, first == again, "the columns of an earlier run are replaced")
	})
	t.Run("another column and a file", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "out.csv")
		assert.Empty(t, h.ok("predict", written(t, "in.csv", table("id", "body", "x")), "--field", "text=body", "--out", out))
		check(t, contentOf(t, out))
	})
	t.Run("JSON lines", func(t *testing.T) {
		out := h.ok("predict", written(t, "in.jsonl", strings.Join(lines, "\n")+"\n"))
		for i, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
			var got struct {
				Line         int
				Data         json.RawMessage
				ModelVersion string `json:"model_version"`
				Predictions  map[string]struct {
					Label         string
					Confidence    float64
					Probabilities map[string]float64
				}
			}
			require.NoError(t, json.Unmarshal([]byte(line), &got))
			assert.Equal(t, i+1, got.Line)
			assert.JSONEq(t, lines[i], string(got.Data))
			a := got.Predictions["topic"]
			assert.Len(t, a.Probabilities, 3)
			assert.InDelta(t, a.Probabilities[a.Label], a.Confidence, 1e-9)
		}
	})
	t.Run("other forms", func(t *testing.T) {
		out := h.ok("predict", written(t, "in.tsv", "text\tn\nbank loan\t1\n"))
		assert.Regexp(t, `^text\tn\ttopic.label\t.*\nbank loan\t1\tMoney\t0\.\d+\t`, out)
		out = h.ok("predict", written(t, "in.csv", "text\nbank loan\n"), "--format", "jsonl")
		assert.Regexp(t, `^\{"line":2,"data":\{"text":"bank loan"\s*\},`, out)
		out = h.ok("predict", written(t, "in.jsonl", "{\"text\":\"bank loan\"}\n\n{\"text\":null}\n"), "--format", "csv")
		assert.Regexp(t, `^line,topic.label,.*\n1,Money,0\.\d+,.*\n3,`, out)
	})
	t.Run("refused", func(t *testing.T) {
		good := written(t, "in.csv", "text\na\n")
		for _, c := range []struct {
			args []string
			want string
		}{
			{[]string{}, "hone predict FILE"},
			{[]string{"nowhere.csv"}, "nowhere.csv"},
			{[]string{written(t, "empty.csv", "")}, "empty.csv is empty"},
			{[]string{written(t, "header.csv", "text\n")}, "header.csv has a header and no line below it"},
			{[]string{written(t, "other.csv", "body;title\na;b\n")}, `has no column text, which the label config of project 1 shows; its columns are "body", "title": name one with --field text=COLUMN`},
			{[]string{written(t, "bad.csv", "text,x\na,b\n\"c,d\n")}, "bad.csv:3: a text in quotes does not end"},
			{[]string{written(t, "bad.jsonl", "{\"text\":\"a\"}\nb\n")}, "bad.jsonl:2: not a JSON object"},
			{[]string{written(t, "other.jsonl", "{\"body\":\"a\"}\n{}\n")}, "none of the 2 lines"},
			{[]string{written(t, "list.json", "[{}]")}, "list.json is a JSON list"},
			{[]string{written(t, "large.csv", "text\n"+strings.Repeat("\x00", 8<<20)+"\n")}, "large.csv:2: the line is larger than the 32 MiB"},
			{[]string{good, "--format", "xlsx"}, `--format "xlsx" is none of csv, tsv and jsonl`},
			{[]string{good, "--field", "text"}, `--field "text" is not FIELD=COLUMN`},
			{[]string{good, "--field", "body=text"}, "the model does not read the field body, only text"},
			{[]string{good, "--field", "text=body"}, `has no column "body" for the field text`},
			{[]string{good, "--project", "7"}, "unknown project 7"},
		} {
			_, err := h.cmd(append([]string{"predict"}, c.args...)...)
			assert.ErrorContains(t, err, c.want)
		}
		out := filepath.Join(t.TempDir(), "out.csv")
		_, err := h.cmd("predict", written(t, "bad.csv", "text,x\na,b\n\"c,d\n"), "--out", out)
		require.Error(t, err)
		assert.NoFileExists(t, out, "a file is whole or not there")
	})
	t.Run("a text of ten megabytes", func(t *testing.T) {
		out := h.ok("predict", written(t, "in.csv", "text,n\n\""+strings.Repeat("bank loan, ", 1<<20)+"\",1\ndinner oven,2\n"), "--format", "jsonl")
		assert.Equal(t, 2, strings.Count(out, `"model_version":"hone-1"`))
	})
}

func TestPredictFromStandardInput(t *testing.T) {
	h, _ := trained(t, 3)
	root := newRoot()
	var out strings.Builder
	root.SetOut(&out)
	root.SetIn(strings.NewReader("{\"text\":\"bank loan\"}"))
	root.SetArgs([]string{"predict", "-", "--listen", h.Addrs()[0].String(), "--data-dir", h.DataDir})
	require.NoError(t, root.ExecuteContext(t.Context()))
	assert.Contains(t, out.String(), `"predictions":{"topic":{"label":`)
}

// Each kind of answer has its cells and its keys.
func TestEveryKindOfAnswerIsWritten(t *testing.T) {
	number := 7.25
	from := api.PredictResponse{ModelVersion: "hone-2", Controls: []api.AnsweredControl{
		{Control: "c", Answer: "labels", Labels: []string{"a", "b"}},
		{Control: "m", Answer: "labels", Labels: []string{"x", "y"}},
		{Control: "n", Answer: "number"},
		{Control: "s", Answer: "spans", Labels: []string{"PER"}},
		{Control: "hidden", Answer: "labels", Labels: []string{"z"}},
	}}
	p := api.TaskPrediction{Controls: []api.ControlPrediction{
		{Control: "c", Confidence: 0.75, Labels: &[]string{"a"}, Exclusive: true, Probabilities: []api.LabelProbability{{Label: "a", Probability: 0.75}, {Label: "b", Probability: 0.25}}},
		{Control: "m", Confidence: 0.5, Labels: &[]string{}, Probabilities: []api.LabelProbability{{Label: "x", Probability: 0.1}, {Label: "y", Probability: 0.2}}},
		{Control: "n", Confidence: 0.5, Number: &number},
		{Control: "s", Confidence: 0.5, Spans: &[]api.PredictedSpan{{Object: "t", Start: 1, End: 3, Text: "Al", Labels: []string{"PER"}, Score: 0.9}}},
	}}
	r, err := records.NewReader("a.csv", strings.NewReader("text,c.label\n\"a, b\",old\n"))
	require.NoError(t, err)
	rec, err := r.Next()
	require.NoError(t, err)
	var out strings.Builder
	w, err := newPredictionWriter(&out, "csv", r, from)
	require.NoError(t, err)
	require.NoError(t, w.Write(rec, from, p))
	require.NoError(t, w.Write(rec, from, api.TaskPrediction{}))
	require.NoError(t, w.Flush())
	assert.Equal(t, `text,c.label,c.confidence,c.p.a,c.p.b,m.label,m.confidence,m.p.x,m.p.y,n.number,n.confidence,s.spans,s.confidence,hidden.label,hidden.confidence,hidden.p.z,model_version
"a, b",a,0.75,0.75,0.25,[],0.5,0.1,0.2,7.25,0.5,"[{""object"":""t"",""start"":1,""end"":3,""text"":""Al"",""labels"":[""PER""],""score"":0.9}]",0.5,,,,hone-2
"a, b",,,,,,,,,,,,,,,,hone-2
`, out.String())
	other := from
	other.Controls = from.Controls[:2]
	require.ErrorContains(t, w.Write(rec, other, p), "the label config changed meanwhile")

	out.Reset()
	w, err = newPredictionWriter(&out, "jsonl", r, from)
	require.NoError(t, err)
	require.NoError(t, w.Write(rec, from, p))
	assert.JSONEq(t, `{"line":2,"data":{"text":"a, b","c.label":"old"},"model_version":"hone-2","predictions":{
		"c":{"label":"a","confidence":0.75,"probabilities":{"a":0.75,"b":0.25}},"m":{"labels":[],"confidence":0.5,"probabilities":{"x":0.1,"y":0.2}},
		"n":{"number":7.25,"confidence":0.5},"s":{"spans":[{"object":"t","start":1,"end":3,"text":"Al","labels":["PER"],"score":0.9}],"confidence":0.5}}}`, out.String())
}
