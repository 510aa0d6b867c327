package regions

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// spanConfig has one control over one object, which shows $d.
func spanConfig(t testing.TB, control, object string) (labelconfig.Control, labelconfig.Object) {
	t.Helper()
	c, err := labelconfig.Parse(`<View><` + control + ` name="ner" toName="o">
		<Label value="PER"/><Label value="LOC" alias="place"/></` + control + `><` + object + ` name="o" value="$d"/></View>`)
	require.NoError(t, err)
	require.Len(t, c.Controls, 1)
	return c.Controls[0], c.Objects[0]
}

func taskData(t testing.TB, d any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(map[string]any{"d": d})
	require.NoError(t, err)
	return b
}

// golden is one span in a text and the value Label Studio has for it. What the
// span is of is written between «and», several one inside or after the other.
var golden = []struct {
	name, control, object string
	data                  any
	spans                 [][2]string // text up to the span, the span
	want                  []string
}{
	{"emoji of several code points", "Labels", "Text", "Ada 👩‍💻 met Zoë in 東京", [][2]string{{"Ada 👩‍💻 met ", "Zoë"}, {"Ada 👩‍💻 met Zoë in ", "東京"}}, []string{
		`{"start":12,"end":15,"text":"Zoë","labels":["PER"]}`, `{"start":19,"end":21,"text":"東京","labels":["PER"]}`,
	}},
	{"line breaks", "Labels", "Text", "line one\nline two 😀 end\n\n third", [][2]string{{"line one\nline two 😀 ", "end"}, {"line one\nline two 😀 end\n\n ", "third"}}, []string{
		`{"start":20,"end":23,"text":"end","labels":["PER"]}`, `{"start":26,"end":31,"text":"third","labels":["PER"]}`,
	}},
	{"combining marks", "Labels", "Text", "Cafe\u0301 😀x Jose\u0301 word", [][2]string{{"", "Cafe\u0301"}, {"Cafe\u0301 😀x Jose\u0301 ", "word"}}, []string{
		"{\"start\":0,\"end\":5,\"text\":\"Cafe\u0301\",\"labels\":[\"PER\"]}", `{"start":15,"end":19,"text":"word","labels":["PER"]}`,
	}},
	{"CRLF counts two", "Labels", "Text", "a\r\nbc", [][2]string{{"a\r\n", "bc"}}, []string{`{"start":3,"end":5,"text":"bc","labels":["PER"]}`}},
	{"overlapping and adjacent", "Labels", "Text", "abcdef", [][2]string{{"", "abc"}, {"a", "bcd"}, {"abc", "def"}}, []string{
		`{"start":0,"end":3,"text":"abc","labels":["PER"]}`, `{"start":1,"end":4,"text":"bcd","labels":["PER"]}`, `{"start":3,"end":6,"text":"def","labels":["PER"]}`,
	}},
	{"whole text", "Labels", "Text", "東京", [][2]string{{"", "東京"}}, []string{`{"start":0,"end":2,"text":"東京","labels":["PER"]}`}},
	{"empty text", "Labels", "Text", "", nil, nil},
	{"UTF-16 in a text node, code points over all", "HyperTextLabels", "HyperText", "<p>a 😀 word tail</p>", [][2]string{{"a 😀 ", "word"}}, []string{
		`{"start":"/p[1]/text()[1]","end":"/p[1]/text()[1]","startOffset":5,"endOffset":9,"globalOffsets":{"start":4,"end":8},"text":"word","hypertextlabels":["PER"]}`,
	}},
	{"as the fixture", "HyperTextLabels", "HyperText", "<div><p>Ada <b>Lovelace</b> was born in London.</p><p>She met Babbage.</p></div>", [][2]string{
		{"Ada ", "Lovelace"}, {"Ada Lovelace was born in London.She met ", "Babbage"}, {"", "Ada Lovelace was"},
	}, []string{
		`{"start":"/div[1]/p[1]/text()[1]","end":"/div[1]/p[1]/text()[2]","startOffset":0,"endOffset":4,"globalOffsets":{"start":0,"end":16},"text":"Ada Lovelace was","hypertextlabels":["PER"]}`,
		`{"start":"/div[1]/p[1]/b[1]/text()[1]","end":"/div[1]/p[1]/b[1]/text()[1]","startOffset":0,"endOffset":8,"globalOffsets":{"start":4,"end":12},"text":"Lovelace","hypertextlabels":["PER"]}`,
		`{"start":"/div[1]/p[2]/text()[1]","end":"/div[1]/p[2]/text()[1]","startOffset":8,"endOffset":15,"globalOffsets":{"start":40,"end":47},"text":"Babbage","hypertextlabels":["PER"]}`,
	}},
	{"what a browser mends", "HyperTextLabels", "HyperText", "top &amp; <p>one<p>two<!-- x -->more<style>b{}</style><script>s</script><br>end", [][2]string{{"top & onetwo", "more"}, {"top & onetwomoreb{}\n", "end"}}, []string{
		`{"start":"/p[2]/text()[2]","end":"/p[2]/text()[2]","startOffset":0,"endOffset":4,"globalOffsets":{"start":12,"end":16},"text":"more","hypertextlabels":["PER"]}`,
		`{"start":"/p[2]/text()[3]","end":"/p[2]/text()[3]","startOffset":0,"endOffset":3,"globalOffsets":{"start":20,"end":23},"text":"end","hypertextlabels":["PER"]}`,
	}},
	{"Labels over HyperText", "Labels", "HyperText", "<b>x</b>", [][2]string{{"", "x"}}, []string{
		`{"start":"/b[1]/text()[1]","end":"/b[1]/text()[1]","startOffset":0,"endOffset":1,"globalOffsets":{"start":0,"end":1},"text":"x","labels":["PER"]}`,
	}},
	{"paragraphs", "ParagraphLabels", "Paragraphs", []any{map[string]string{"author": "Ada", "text": "Hi 😀 Zoë"}, map[string]string{"author": "Zoë", "text": "to 東京!"}}, [][2]string{
		{"Hi 😀 ", "Zoë"}, {"Hi 😀 Zoë\nto ", "東京"}, {"Hi 😀 ", "Zoë\nto"},
	}, []string{
		`{"start":"0","end":"0","startOffset":6,"endOffset":9,"text":"Zoë","paragraphlabels":["PER"]}`,
		`{"start":"0","end":"1","startOffset":6,"endOffset":2,"text":"Zoë\nto","paragraphlabels":["PER"]}`,
		`{"start":"1","end":"1","startOffset":3,"endOffset":5,"text":"東京","paragraphlabels":["PER"]}`,
	}},
}

func TestSpansGolden(t *testing.T) {
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			c, o := spanConfig(t, g.control, g.object)
			p, err := content.Passage(o, taskData(t, g.data))
			require.NoError(t, err)
			var spans []Span
			for _, s := range g.spans {
				require.True(t, strings.HasPrefix(p.Text, s[0]+s[1]), "%q begins with %q", p.Text, s[0]+s[1])
				spans = append(spans, Span{Start: len(s[0]), End: len(s[0]) + len(s[1]), Labels: []string{"PER"}, Score: 0.5})
			}
			regions := EncodeSpans(c, "r", p, spans)
			require.Len(t, regions, len(g.want))
			for i, r := range regions {
				assert.JSONEq(t, g.want[i], string(r.Value))
				assert.Equal(t, "ner", r.FromName)
				assert.Equal(t, "o", r.ToName)
				assert.Equal(t, strings.ToLower(g.control), r.Type)
				assert.InDelta(t, 0.5, *r.Score, 0)
			}
			again := Spans(c, append([]Region{}, regions...), p)
			assert.True(t, again.OK)
			assert.Zero(t, again.Lost)
			require.Len(t, again.Spans, len(spans))
			for _, s := range again.Spans {
				assert.Contains(t, spans, Span{s.Start, s.End, s.Labels, 0.5})
			}
		})
	}
}

func TestPartsKeepWordsOfBlocksApart(t *testing.T) {
	_, o := spanConfig(t, "Labels", "HyperText")
	p, err := content.Passage(o, taskData(t, "<p>one</p><p>t<b>w</b>o<br>three</p><style>x</style>"))
	require.NoError(t, err)
	var parts []string
	for _, x := range p.Parts {
		parts = append(parts, p.Text[x[0]:x[1]])
	}
	assert.Equal(t, []string{"one", "two", "three"}, parts)
}

func TestSpansOfStrangeRegions(t *testing.T) {
	c, o := spanConfig(t, "Labels", "Text")
	p, err := content.Passage(o, taskData(t, "Ada met Zoë"))
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		region string
		spans  int
		lost   int
	}{
		"as text":            {`{"start":"0","end":"3","labels":["PER"]}`, 1, 0},
		"alias":              {`{"start":0,"end":3,"labels":["place"]}`, 1, 0},
		"several labels":     {`{"start":0,"end":3,"labels":["place","PER"]}`, 1, 0},
		"another kind's key": {`{"start":0,"end":3,"hypertextlabels":["PER"]}`, 1, 0},
		"beyond":             {`{"start":0,"end":12,"labels":["PER"]}`, 0, 1},
		"backwards":          {`{"start":3,"end":1,"labels":["PER"]}`, 0, 1},
		"negative":           {`{"start":-1,"end":1,"labels":["PER"]}`, 0, 1},
		"no number":          {`{"start":{},"end":1,"labels":["PER"]}`, 0, 1},
		"no length":          {`{"start":2,"end":2,"labels":["PER"]}`, 0, 1},
		"label that is gone": {`{"start":0,"end":3,"labels":["ORG"]}`, 0, 1},
		"no labels":          {`{"start":0,"end":3}`, 0, 1},
		"no object":          {`7`, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			rs, err := Decode(json.RawMessage(`[{"from_name":"ner","to_name":"o","value":` + tt.region + `}]`))
			require.NoError(t, err)
			a := Spans(c, rs, p)
			assert.Len(t, a.Spans, tt.spans)
			assert.Equal(t, tt.lost, a.Lost)
			assert.True(t, a.OK)
		})
	}
	rs, err := Decode(json.RawMessage(`[
		{"from_name":"ner","to_name":"o","is_positive":true,"value":{"start":0,"end":3,"labels":["PER"]}},
		{"from_name":"ner","to_name":"other","value":{"start":0,"end":3,"labels":["PER"]}},
		{"from_name":"x","to_name":"o","value":{"start":0,"end":3,"labels":["PER"]}}]`))
	require.NoError(t, err)
	assert.Equal(t, SpanAnswer{OK: true}, Spans(c, rs, p), "hints, other objects and other controls are no answer")
	assert.False(t, Spans(c, nil, p).OK)
	c.Conditional = true
	assert.False(t, Spans(c, []Region{}, p).OK)
}

func TestOldXPathsAndHyperTextWithoutGlobalOffsets(t *testing.T) {
	c, o := spanConfig(t, "HyperTextLabels", "HyperText")
	p, err := content.Passage(o, taskData(t, "<div><p>a 😀 word</p></div>"))
	require.NoError(t, err)
	for _, path := range []string{"/div[1]/p[1]/text()[1]", "/div/p/text()", "./div/p/text()"} {
		rs := []Region{{FromName: "ner", ToName: "o", Value: json.RawMessage(`{"start":"` + path + `","end":"` + path + `","startOffset":5,"endOffset":9,"hypertextlabels":["PER"]}`)}}
		a := Spans(c, rs, p)
		require.Len(t, a.Spans, 1)
		assert.Equal(t, "word", p.Text[a.Spans[0].Start:a.Spans[0].End])
	}
}

func TestEncodeSpansLeavesOutWhatCannotBeShown(t *testing.T) {
	c, o := spanConfig(t, "Labels", "Text")
	p, err := content.Passage(o, taskData(t, "Zoë"))
	require.NoError(t, err)
	assert.Empty(t, EncodeSpans(c, "r", p, []Span{
		{Start: 0, End: 3, Labels: []string{"PER"}}, // ends within the ë
		{Start: 0, End: 9, Labels: []string{"PER"}},
		{Start: -1, End: 1, Labels: []string{"PER"}},
		{Start: 2, End: 2, Labels: []string{"PER"}},
		{Start: 0, End: 1, Labels: []string{"ORG"}},
	}))
}

// Real requests: every span of every NER fixture is read, and written as it was.
func TestSpanFixtures(t *testing.T) {
	files, err := filepath.Glob("../testdata/fixtures/backend-predict-interactive-*ner.json")
	require.NoError(t, err)
	require.Len(t, files, 2)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			b, err := os.ReadFile(f)
			require.NoError(t, err)
			var file struct {
				Request struct {
					Body struct {
						LabelConfig string `json:"label_config"`
						Tasks       []struct{ Data json.RawMessage }
						Params      struct {
							Context struct{ Result json.RawMessage }
						}
					}
				}
			}
			require.NoError(t, json.Unmarshal(b, &file))
			cfg, err := labelconfig.Parse(file.Request.Body.LabelConfig)
			require.NoError(t, err)
			c := cfg.Controls[0]
			p, err := content.Passage(cfg.Objects[0], file.Request.Body.Tasks[0].Data)
			require.NoError(t, err)
			rs, err := Decode(file.Request.Body.Params.Context.Result)
			require.NoError(t, err)
			a := Spans(c, rs, p)
			require.Len(t, a.Spans, len(rs))
			for i, r := range EncodeSpans(c, "x", p, a.Spans) {
				assert.JSONEq(t, string(rs[i].Value), string(r.Value))
				assert.Equal(t, rs[i].Type, r.Type)
			}
		})
	}
}

// Whatever is in the task and the result, nothing panics, what is read lies in
// the text, and what is written is read again as the same.
func FuzzSpans(f *testing.F) {
	for _, g := range golden {
		d, _ := json.Marshal(g.data)
		for _, v := range g.want {
			f.Add(string(d), v)
		}
	}
	f.Add(`"<table><p>x<td>y"`, `{"start":"/table[1]/text()[1]","end":"x","startOffset":1,"endOffset":2,"labels":["PER"]}`)
	f.Fuzz(func(t *testing.T, data, value string) {
		if !json.Valid([]byte(data)) || !json.Valid([]byte(value)) {
			return
		}
		for _, kind := range []string{"Text", "HyperText", "Paragraphs"} {
			c, o := spanConfig(t, "Labels", kind)
			p, err := content.Passage(o, json.RawMessage(`{"d":`+data+`}`))
			if err != nil {
				continue
			}
			last := 0
			for _, x := range p.Parts {
				if x[0] < last || x[1] < x[0] || x[1] > len(p.Text) {
					t.Fatalf("parts %v of %q", p.Parts, p.Text)
				}
				last = x[1]
			}
			a := Spans(c, []Region{{FromName: "ner", ToName: "o", Value: json.RawMessage(value)}}, p)
			for _, s := range a.Spans {
				if s.Start < 0 || s.Start >= s.End || s.End > len(p.Text) || !utf8.ValidString(p.Text[s.Start:s.End]) {
					t.Fatalf("span %v of %q", s, p.Text)
				}
			}
			b := Spans(c, append([]Region{}, EncodeSpans(c, "r", p, a.Spans)...), p)
			if len(a.Spans) != len(b.Spans) || b.Lost > 0 {
				t.Fatalf("%v became %v", a, b)
			}
			for i := range a.Spans {
				if a.Spans[i].Start != b.Spans[i].Start || a.Spans[i].End != b.Spans[i].End {
					t.Fatalf("%v became %v in %q", a.Spans[i], b.Spans[i], p.Text)
				}
			}
		}
	})
}

// What a person marked in the interface is read as what was marked, and what hone
// suggests of it is what the interface itself writes.
func TestHyperTextAsMarkedInTheInterface(t *testing.T) {
	b, err := os.ReadFile("../testdata/hypertext-marked.json")
	require.NoError(t, err)
	var marked struct {
		Pages []struct {
			HTML   string
			Result []Region
		}
	}
	require.NoError(t, json.Unmarshal(b, &marked))
	cfg, err := labelconfig.Parse(`<View><HyperTextLabels name="l" toName="h"><Label value="X"/></HyperTextLabels><HyperText name="h" value="$d"/></View>`)
	require.NoError(t, err)
	c := cfg.Controls[0]
	regions := 0
	for _, page := range marked.Pages {
		p, err := content.Passage(cfg.Objects[0], taskData(t, page.HTML))
		require.NoError(t, err)
		for _, r := range page.Result {
			regions++
			var want map[string]any
			require.NoError(t, json.Unmarshal(r.Value, &want))
			text := want["text"].(string)
			got := Spans(c, []Region{r}, p)
			require.Len(t, got.Spans, 1, text)
			said := EncodeSpans(c, "hone", p, got.Spans)
			require.Len(t, said, 1, text)
			var have map[string]any
			require.NoError(t, json.Unmarshal(said[0].Value, &have))
			// Across lines the interface notes them as they are seen, \n for each break.
			bare := strings.NewReplacer(`\n`, "", "\n", "")
			want["text"], have["text"] = bare.Replace(text), bare.Replace(have["text"].(string))
			assert.Equal(t, want, have)
			// Without the offsets over all, the paths say the same.
			delete(want, "globalOffsets")
			r.Value, err = json.Marshal(want)
			require.NoError(t, err)
			assert.Equal(t, got, Spans(c, []Region{r}, p), text)
		}
	}
	assert.Equal(t, 19, regions)
}

func TestSpansOfLineBreaksAloneAreLeftOut(t *testing.T) {
	for _, page := range []string{"<br>", "<p>a<br>b</p>", "<p>a</p><br><br>"} {
		c, o := spanConfig(t, "HyperTextLabels", "HyperText")
		p, err := content.Passage(o, taskData(t, page))
		require.NoError(t, err)
		at := strings.IndexByte(p.Text, '\n')
		assert.Empty(t, EncodeSpans(c, "hone", p, []Span{{Start: at, End: at + 1, Labels: []string{"PER"}}}), page)
	}
}
