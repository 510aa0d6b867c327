package passage

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

// byTokenizer is StripHTML on the tokenizer of x/net/html. StripHTML stays in its place
// as long as the two differ somewhere: a text that reads otherwise is another text, for
// which models and stored vectors would begin anew.
func byTokenizer(s string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	hidden := ""
	for {
		kind := z.Next()
		switch kind {
		case html.ErrorToken:
			return collapse(b.String())
		case html.TextToken:
			if hidden == "" {
				b.Write(z.Text())
			}
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			tag, _ := z.TagName()
			switch name := string(tag); {
			case hidden != "":
				if kind == html.EndTagToken && name == hidden {
					hidden = ""
				}
			case kind != html.EndTagToken && (name == "script" || name == "style" || name == "head" || name == "template" || name == "noscript"):
				hidden = name
				b.WriteByte(blockMark)
			case blockTags[name]:
				b.WriteByte(blockMark)
			}
		}
	}
}

// page is a well-formed fragment as editors and crawlers write it.
func page(t *rapid.T, depth int) string {
	var b strings.Builder
	for range rapid.IntRange(0, 4).Draw(t, "pieces") {
		switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
		case kind < 4 || depth == 0:
			b.WriteString(rapid.SampledFrom([]string{
				"word", " two words ", "Zoë &amp; 東京", "a &lt; b", "x > y", "1&nbsp;&#x20AC;", "&bogus;", "\r\n", "\t", "a < b", "😀", "&#11;", "'\"=",
			}).Draw(t, "text"))
		case kind == 4:
			b.WriteString(rapid.SampledFrom([]string{"<br>", "<br/>", "<hr />", `<img src="a.png" alt="x > y">`, "<!-- a <b> -->", "<!doctype html>"}).Draw(t, "void"))
		case kind == 5:
			b.WriteString(rapid.SampledFrom([]string{"<script>if (a < b) f('<p>')</script>", "<style>p > b {}</style>", "<head><meta charset=utf-8></head>", "<template>x</template>"}).Draw(t, "hidden"))
		default:
			tag := rapid.SampledFrom([]string{"p", "div", "b", "SPAN", "a", "ul", "li", "table", "td", "h1", "em", "custom-tag"}).Draw(t, "tag")
			attrs := rapid.SampledFrom([]string{"", ` class="x"`, ` title='a > b'`, " data-n=1", ` href="?a=1&amp;b=2" `}).Draw(t, "attrs")
			b.WriteString("<" + tag + attrs + ">" + page(t, depth-1) + "</" + tag + ">")
		}
	}
	return b.String()
}

func TestPlainTextIsTheTokenizersOnWellFormedPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := page(t, 3)
		if a, b := StripHTML(s), byTokenizer(s); a != b {
			t.Fatalf("%q reads %q, by the tokenizer %q", s, a, b)
		}
	})
	b, err := os.ReadFile("../testdata/hypertext-marked.json")
	if err != nil {
		t.Fatal(err)
	}
	var marked struct{ Pages []struct{ HTML string } }
	if err := json.Unmarshal(b, &marked); err != nil || len(marked.Pages) == 0 {
		t.Fatal(err, len(marked.Pages))
	}
	for _, p := range marked.Pages {
		if a, b := StripHTML(p.HTML), byTokenizer(p.HTML); a != b {
			t.Errorf("%q reads %q, by the tokenizer %q", p.HTML, a, b)
		}
	}
}

// Where the two differ. The tokenizer reads as a browser does.
func TestPlainTextIsNotTheTokenizersOnOthers(t *testing.T) {
	for s, want := range map[string][2]string{
		// A closing tag without a name is a comment to a browser.
		"a</>b": {"a</>b", "ab"}, "a</é>b": {"a</é>b", "ab"},
		// Some elements hold text in which there are no tags.
		"<title>a <b>c</title>": {"a c", "a <b>c"}, "<textarea>a<br>b": {"a\nb", "a<br>b"}, "<xmp><p>a</xmp>": {"a", "<p>a"}, "<iframe><p>a</iframe>": {"a", "<p>a"},
		"<plaintext>a<b>": {"a", "a<b>"},
		// An entity that a tag cuts, or that its removal makes.
		"&am<b>p;": {"&", "&amp;"}, "&<i></i>lt;": {"<", "&lt;"},
		// Comments that end early or oddly.
		"<!-->a": {"", "a"}, "<!-- a --!>b": {"", "b"},
		// Quotes count in every declaration by hand, and only in tags to a browser.
		`<?x a=">"?>b`: {"b", `"?>b`}, `<!x a=">">b`: {"b", `">b`},
		// Names of tags go on to white space or a slash.
		"a<p.x>b": {"a\nb", "ab"}, "a<script.x>b": {"a", "ab"},
		// A quote begins a value only behind an equals sign that touches it.
		`<a x = ">">b`: {`">b`, "b"},
	} {
		if got := [2]string{StripHTML(s), byTokenizer(s)}; got != want {
			t.Errorf("%q reads %q by hand and %q by the tokenizer, want %q", s, got[0], got[1], want)
		}
	}
}

func FuzzStripHTML(f *testing.F) {
	f.Add("<p title='>'>a<br>&amp;</p><script>x</script><!-- ")
	f.Fuzz(func(t *testing.T, s string) {
		// Nothing panics, and what has no markup is the same to both.
		a, b := StripHTML(s), byTokenizer(s)
		if !strings.ContainsAny(s, "<&\x00\r") && a != b {
			t.Fatalf("%q reads %q, by the tokenizer %q", s, a, b)
		}
	})
}
