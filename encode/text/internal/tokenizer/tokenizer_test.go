package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hone-ml/hone/internal/cut"
)

// The special tokens around a text, as each form of post-processor says them.
func TestAround(t *testing.T) {
	const vocabulary = `"model":{"type":"WordLevel","vocab":{"a":0,"b":1,"[CLS]":2,"[SEP]":3}},"added_tokens":[{"id":4,"content":"<s>","special":true},{"id":5,"content":"</s>","special":true}]`
	for _, c := range []struct {
		json          string
		before, after []int32
		problem       string
	}{
		{vocabulary, []int32{2}, []int32{3}, ""},
		{strings.Replace(vocabulary, "[CLS]", "c", 1), []int32{4}, []int32{5}, ""},
		{`"model":{"type":"WordLevel","vocab":{"a":0}}`, nil, nil, "says no special tokens"},
		{vocabulary + `,"post_processor":null`, []int32{2}, []int32{3}, ""},
		{vocabulary + `,"post_processor":{"type":"BertProcessing","sep":["b",1],"cls":["a",0]}`, []int32{0}, []int32{1}, ""},
		{vocabulary + `,"post_processor":{"type":"BertProcessing","sep":["b",9],"cls":["a",0]}`, nil, nil, "the special token 9"},
		{vocabulary + `,"post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"RobertaProcessing","sep":["b",1],"cls":["a",0]}]}`, []int32{0}, []int32{1}, ""},
		{vocabulary + `,"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"y"}}],"special_tokens":{"x":{"ids":[0,1]},"y":{"ids":[1]}}}`, []int32{0, 1}, []int32{1}, ""},
		{vocabulary + `,"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"z"}},{"Sequence":{"id":"A"}}],"special_tokens":{}}`, nil, nil, `"z"`},
		{vocabulary + `,"post_processor":{"type":"Strange"}`, nil, nil, `post_processor: the type "Strange"`},
	} {
		tk, err := Parse([]byte("{" + c.json + "}"))
		if err != nil {
			t.Fatal(err)
		}
		before, after, err := tk.Around()
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%s: %v, want %q", c.json, err, c.problem)
			}
			continue
		}
		if err != nil || !slices.Equal(before, c.before) || !slices.Equal(after, c.after) {
			t.Errorf("%s: %v and %v, %v", c.json, before, after, err)
		}
	}
}

// A vocab.txt is read as the tokenizer.json of the same pieces.
func TestFromVocabulary(t *testing.T) {
	no := false
	const vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nCard\ncard\n##s\ne\né\r\n"
	for _, c := range []struct {
		how  BERT
		want []int32
	}{
		{BERT{}, []int32{5, 6, 7, 1}},
		{BERT{Lower: &no}, []int32{4, 6, 8, 1}},
		{BERT{Strip: &no}, []int32{5, 6, 8, 1}},
	} {
		tk, err := FromVocabulary(vocabulary, c.how)
		if err != nil {
			t.Fatal(err)
		}
		if got := tk.Append(nil, "Cards é x", 10); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.how, got, c.want)
		}
	}
	for text, want := range map[string]string{"": "empty", "a\na\n": "line 2"} {
		if _, err := FromVocabulary(text, BERT{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := FromVocabulary(vocabulary, BERT{Basic: &no}); err == nil {
		t.Error("without the basic tokenizer")
	}
}

// FuzzParse reads foreign tokenizers and foreign texts.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"uncased", "cased", "unigram", "words"} {
		b, err := os.ReadFile(filepath.Join("..", "..", "model2vec", "testdata", name, "tokenizer.json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, "My card, ﬁne ① 卡片 \xff 😀")
	}
	f.Add([]byte(`{"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-1]]},"pre_tokenizer":{"type":"Metaspace","split":false}}`), "aab")
	f.Add([]byte(`{"normalizer":{"type":"Precompiled","precompiled_charsmap":"BAAAAAAAAAAA"},"model":{"type":"WordLevel","vocab":{"a":0}}}`), "a")
	f.Add([]byte(`{"model":{"type":"WordLevel","vocab":{"a":0,"<s>":1}},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],"special_tokens":{"<s>":{"ids":[1]}}}}`), "a")
	f.Add([]byte(`{"model":{"type":"WordLevel","vocab":{"a":0}},"post_processor":{"type":"Sequence","processors":[{"type":"RobertaProcessing","cls":["a",0],"sep":["a",0]}]}}`), "a")
	f.Fuzz(func(t *testing.T, tokens []byte, text string) {
		tk, err := Parse(tokens)
		if err != nil {
			return
		}
		ids := tk.Append(nil, cut.Runes(text, 1000), 100)
		if len(ids) > 100 {
			t.Fatalf("%d ids", len(ids))
		}
		before, after, err := tk.Around()
		if err == nil {
			ids = append(append(ids, before...), after...)
		}
		for _, id := range ids {
			if id < 0 || int(id) >= tk.size {
				t.Fatalf("id %d of %d", id, tk.size)
			}
		}
	})
}
