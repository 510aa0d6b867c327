package records

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// readAll returns all records up to the end or the first error.
func readAll(name, content string) (r *Reader, out []Record, err error) {
	if r, err = NewReader(name, strings.NewReader(content)); err != nil {
		return nil, nil, err
	}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r, out, nil
		}
		if err != nil {
			return r, out, err
		}
		out = append(out, rec)
	}
}

func TestFormsAndWhereTheyComeFrom(t *testing.T) {
	zipped := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := io.WriteString(z, s)
		require.NoError(t, err)
		require.NoError(t, z.Close())
		return b.String()
	}
	for _, c := range []struct {
		name, content string
		form          Form
		lines         []int
		objects       string
	}{
		{"a.csv", "text,label\na,b\n", CSV, []int{2}, `{"text":"a","label":"b"}`},
		{"a.csv", "\xef\xbb\xbftext,label\r\na,b\r\n", CSV, []int{2}, `{"text":"a","label":"b"}`},
		{"a.CSV.gz", zipped("text\na"), CSV, []int{2}, `{"text":"a"}`},
		{"a.csv", "text;label\n\"a;\n\"\"b\"\"\";c\n\nd;e\n", CSV, []int{2, 5}, "{\"text\":\"a;\\n\\\"b\\\"\",\"label\":\"c\"}\n{\"text\":\"d\",\"label\":\"e\"}"},
		{"a.csv", "text\tlabel\na\tb\n", CSV, []int{2}, `{"text":"a","label":"b"}`},
		{"a.csv", "\"a,b;c;d\",label\nx,y\n", CSV, []int{2}, `{"a,b;c;d":"x","label":"y"}`},
		{"a.tsv", "text\tlabel\na, b\tc\n", TSV, []int{2}, `{"text":"a, b","label":"c"}`},
		{"a.csv", " text , ,\na,b,c\n", CSV, []int{2}, `{"text":"a"}`},
		{"a.csv", "text\na\x00b\n", CSV, []int{2}, `{"text":"a\u0000b"}`},
		{"a.csv", "text\n\xff\n", CSV, []int{2}, `{"text":"�"}`},
		{"a.csv", "text,label\n", CSV, nil, ""},
		{"a.jsonl", "{\"text\":1}\r\n\n  {\"b\":null}", JSONL, []int{1, 3}, "{\"text\":1}\n{\"b\":null}"},
		{"-", "\n {\"text\":\"x\"}", JSONL, []int{2}, `{"text":"x"}`},
		{"-", "text\nx", CSV, []int{2}, `{"text":"x"}`},
		{"-", zipped("\xef\xbb\xbf{\"n\":12345678901234567890}\n"), JSONL, []int{1}, `{"n":12345678901234567890}`},
	} {
		r, got, err := readAll(c.name, c.content)
		require.NoError(t, err, "%q", c.content)
		assert.Equal(t, c.form, r.Form(), "%q", c.content)
		var lines []int
		var objects []string
		for _, rec := range got {
			lines = append(lines, rec.Line)
			var flat bytes.Buffer
			require.NoError(t, json.Compact(&flat, rec.Object))
			objects = append(objects, flat.String())
		}
		assert.Equal(t, c.lines, lines, "%q", c.content)
		assert.Equal(t, c.objects, strings.Join(objects, "\n"), "%q", c.content)
	}
}

// What is wrong is said with the file, the line and the fix.
func TestFaultsNameTheLine(t *testing.T) {
	long := strings.Repeat("x", MaxRecord+2*readAhead)
	for _, c := range []struct{ name, content, want string }{
		{"a.csv", "", "a.csv is empty"},
		{"a.jsonl", " \n\t\n", "a.jsonl is empty"},
		{"a.csv", "\xef\xbb\xbf", "a.csv is empty"},
		{"a.csv", "\xff\xfet\x00", "a.csv is UTF-16: save it as UTF-8"},
		{"a.csv", "text,text\na,b\n", `a.csv:1: two columns are named "text": rename one`},
		{"a.csv", "text\ra\rb", "a.csv:1: its lines end with a carriage return alone"},
		{"a.csv", "text,label\na,b\nc\n", "a.csv:3: it has 1 columns, and the header has 2"},
		{"a.csv", "text,label\na,b,c\n", "a.csv:2: it has 3 columns, and the header has 2: a text with the separator ',' in it must be in quotes"},
		{"a.csv", "text,label\na,b\nc \"d\",e\n", "a.csv:3: a quote in a text that does not begin with one: put the whole text in quotes"},
		{"a.csv", "text,label\n\n\"a\nb,c\nd,e\n", `a.csv:3: a text in quotes does not end, or has a single quote (") in it up to line`},
		{"a.csv", "\"text", "a.csv:1: a text in quotes does not end"},
		{"a.csv", "text\na\n\"" + long, "a.csv:3: the record that begins here or after is longer than 16 MiB: is a quote not closed?"},
		{"a.csv", long, "a.csv:1: the record that begins here or after is longer than 16 MiB"},
		{"a.jsonl", "{}\n{\"text\":\"" + long, "a.jsonl:2: longer than 16 MiB"},
		{"a.jsonl", "{}\nhello\n", "a.jsonl:2: not a JSON object: invalid character 'h'"},
		{"a.jsonl", "{}\n[1]\n", `a.jsonl:2: not a JSON object: each line is to be one such as {"text"`},
		{"a.jsonl", "{}\nnull\n", "a.jsonl:2: not a JSON object: each line is to be"},
		{"a.jsonl", "{\"a\":\"\x00\"}\n", "a.jsonl:1: not a JSON object: invalid character"},
		{"a.jsonl", "{} {}\n", "a.jsonl:1: not a JSON object"},
		{"a.json", "[{}]", "a.json is a JSON list: write one object a line"},
		{"a.jsonl", "\x1f\x8bnonsense", "a.jsonl: "},
	} {
		_, _, err := readAll(c.name, c.content)
		require.Error(t, err, "%.40q", c.content)
		assert.True(t, strings.HasPrefix(err.Error(), c.want), "%.40q: %v", c.content, err)
		assert.Less(t, len(err.Error()), 400)
	}
	_, err := NewReader("a.csv", io.MultiReader(strings.NewReader("te"), failing{}))
	require.ErrorContains(t, err, "a.csv")
	require.ErrorIs(t, err, errDisk)
}

var errDisk = errors.New("input/output error")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errDisk }

// A field of ten megabytes is a record as any other.
func TestLargeRecordsAreRead(t *testing.T) {
	large := strings.Repeat("word ", 2<<20)
	for name, content := range map[string]string{
		"a.csv":   "text,label\n\"" + large + "\",x\nshort,y\n",
		"a.jsonl": `{"text":"` + large + "\"}\n{\"text\":\"short\"}\n",
	} {
		_, got, err := readAll(name, content)
		require.NoError(t, err)
		require.Len(t, got, 2)
		assert.Greater(t, len(got[0].Object), len(large))
		assert.Equal(t, 2, got[1].Line-got[0].Line+1)
	}
}

// Whatever texts there are, what a CSV writer wrote is read as it was.
func TestWrittenRowsAreReadAsTheyWere(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "é", "\"", ",", ";", "\t", "\n", " ", "x y", "\x00", "''", "日本", "\ufeff"}
	for range 500 {
		columns := 2 + rng.IntN(4)
		header := make([]string, columns)
		for i := range header {
			header[i] = fmt.Sprintf("column %d", i)
		}
		rows := [][]string{header}
		for range rng.IntN(5) {
			row := make([]string, columns)
			for i := range row {
				for range rng.IntN(6) {
					row[i] += pieces[rng.IntN(len(pieces))]
				}
			}
			rows = append(rows, row)
		}
		for ending, comma := range map[string]rune{"csv": ',', "tsv": '\t'} {
			var b bytes.Buffer
			w := csv.NewWriter(&b)
			w.Comma, w.UseCRLF = comma, rng.IntN(2) == 0
			require.NoError(t, w.WriteAll(rows))
			_, got, err := readAll("a."+ending, b.String())
			require.NoError(t, err, "%q", b.String())
			require.Len(t, got, len(rows)-1, "%q", b.String())
			for i, rec := range got {
				assert.Equal(t, rows[i+1], rec.Values)
				var object map[string]string
				require.NoError(t, json.Unmarshal(rec.Object, &object))
				assert.Equal(t, rows[i+1][1], object["column 1"])
			}
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"text,label\na,b\n", "\xef\xbb\xbftext\r\n\"a\"\"b\nc\"\r\n", "{\"text\":\"a\"}\n\n{\"b\":[1,{}]}", "[{}]", "a;b\n1;2", "\x1f\x8b\x08", "\"", "a\tb\n\x00\t\n",
	} {
		f.Add("a.csv", s)
		f.Add("a.jsonl", s)
		f.Add("-", s)
	}
	f.Fuzz(func(t *testing.T, name, content string) {
		r, got, err := readAll(name, content)
		if err != nil && !strings.HasPrefix(err.Error(), name) {
			t.Fatalf("the file is not named: %v", err)
		}
		last := 0
		for _, rec := range got {
			if rec.Line <= last {
				t.Fatalf("line %d comes after %d", rec.Line, last)
			}
			last = rec.Line
			if len(rec.Values) != len(r.Columns()) {
				t.Fatalf("%d values of %d columns", len(rec.Values), len(r.Columns()))
			}
			if !json.Valid(rec.Object) || rec.Object[0] != '{' {
				t.Fatalf("%q is no object", rec.Object)
			}
			for _, v := range rec.Values {
				if !utf8.ValidString(v) {
					t.Fatalf("%q", v)
				}
			}
		}
	})
}
