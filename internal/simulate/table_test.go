package simulate

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A table and the same lines as JSON are the same data.
func TestTablesAreReadAsLinesAre(t *testing.T) {
	lines := load(t, `{"text":"a, \"b\"","label":"x","id":"1"}`+"\n"+`{"text":"c","label":"y","id":"2"}`, `{"text":"d","label":"x","id":"3"}`)
	for name, s := range map[string]Source{
		"CSV":       {Train: file(t, "a.csv", "\ufefftext,label,id\r\n\"a, \"\"b\"\"\",x,1\r\nc,y,2\r\n"), Test: file(t, "b.csv", "id,label,text\n3,x,d\n")},
		"TSV":       {Train: file(t, "a.tsv", "text\tlabel\tid\n\"a, \"\"b\"\"\"\tx\t1\nc\ty\t2\n"), Test: file(t, "b.tsv", "id\tlabel\ttext\n3\tx\td\n")},
		"semicolon": {Train: file(t, "a.csv", "text;label;id\n\"a, \"\"b\"\"\";x;1\nc;y;2\n"), Test: file(t, "b.csv", "id;label;text\n3; x ;d\n")},
		"columns": {
			Train: file(t, "a.csv", "body,topic,id\n\"a, \"\"b\"\"\",x,1\nc,y,2\n"), Test: file(t, "b.jsonl", `{"body":"d","topic":"x","id":"3","label":"not this"}`),
			Text: "body", Label: "topic",
		},
	} {
		d, err := Load(s)
		require.NoError(t, err, name)
		assert.Equal(t, lines.Config, d.Config, name)
		for i, it := range append(lines.pool, lines.test...) {
			got := append(d.pool, d.test...)[i]
			assert.JSONEq(t, string(it.task.Data), string(got.task.Data), name)
			assert.Equal(t, it.truth, got.truth, name)
			assert.Equal(t, it.results, got.results, name)
		}
	}
}

func TestSeveralLabelsInACell(t *testing.T) {
	s := Source{Train: file(t, "a.csv", "text,label\na,x; y\nb,\nc,z\n"), LabelSeparator: ";"}
	d, err := Load(s)
	require.NoError(t, err)
	assert.True(t, d.questions[0].Multiple)
	assert.Equal(t, []string{"x", "y"}, d.pool[0].truth[0].labels)
	assert.Empty(t, d.pool[1].truth[0].labels)
}

func TestKeysOfLinesByName(t *testing.T) {
	s := Source{Train: file(t, "a.jsonl", `{"body":"a","topics":["x","y"]}`), Text: "body", Label: "topics"}
	d, err := Load(s)
	require.NoError(t, err)
	assert.Equal(t, []string{"x", "y"}, d.pool[0].truth[0].labels)
	assert.JSONEq(t, `{"text":"a"}`, string(d.pool[0].task.Data))
}

func TestFaultsOfTablesNameTheLineAndTheFix(t *testing.T) {
	for content, want := range map[string]string{
		"":                              "a.csv is empty",
		"text,label\n":                  "a.csv has a header and no line below it",
		"text,topic\na,x\n":             `a.csv has no column "label"; its columns are ["text" "topic"]: name that of the labels with --label COLUMN`,
		"body,label\na,x\n":             `a.csv has no column "text"; its columns are ["body" "label"]: name that of the texts with --text COLUMN`,
		"text,label\na,x\nb, \n":        `a.csv:3: the column "label" is empty`,
		"text,label\na,x\nb\n":          "a.csv:3: it has 1 columns",
		"text,label\na,x\n\"b,y\nc,x\n": "a.csv:3: a text in quotes does not end",
	} {
		_, err := Load(Source{Train: file(t, "a.csv", content)})
		require.ErrorContains(t, err, want, "%q", content)
	}
	_, err := Load(Source{Train: file(t, "a.csv", "text,label\na,x\n"), Text: "text", LabelConfig: file(t, "c.xml", config)})
	require.ErrorContains(t, err, "rename the column there")
}

// FuzzLoadTable: foreign bytes end in tasks that do not hold their answer, or in an error.
func FuzzLoadTable(f *testing.F) {
	f.Add("text,label\na,x\nb,y\n", "")
	f.Add("\ufefftext;label;n\r\n\"a\n\"\"b\";x|y;\x00\r\nc;;1\r\n", "|")
	f.Fuzz(func(t *testing.T, content, separator string) {
		d, err := Load(Source{Train: file(t, "a.csv", content), LabelSeparator: separator})
		if err != nil {
			return
		}
		for _, it := range d.pool {
			var fields map[string]string
			if json.Unmarshal(it.task.Data, &fields) != nil {
				t.Fatalf("%s", it.task.Data)
			}
			if _, told := fields["label"]; told {
				t.Fatalf("the answer is told: %s", it.task.Data)
			}
			for _, l := range it.truth[0].labels {
				if !strings.Contains(strings.Join(d.questions[0].labels, "\n"), l) {
					t.Fatalf("%q is none of %q", l, d.questions[0].labels)
				}
			}
		}
	})
}
