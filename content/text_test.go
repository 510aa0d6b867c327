package content

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

func object(t testing.TB, tag string) labelconfig.Object {
	t.Helper()
	c, err := labelconfig.Parse("<View>" + tag + "</View>")
	if err != nil || len(c.Objects) != 1 {
		t.Fatalf("%s: %v, %+v", tag, err, c)
	}
	return c.Objects[0]
}

func TestText(t *testing.T) {
	for name, tc := range map[string]struct{ tag, data, want string }{
		"field":             {`<Text name="t" value="$text"/>`, `{"text":"Zoë in 東京 👩‍💻"}`, "Zoë in 東京 👩‍💻"},
		"escapes":           {`<Text name="t" value="$text"/>`, `{"text":"a\n\"b\" \u00e9 \ud83d\ude00 <p>"}`, "a\n\"b\" é 😀 <p>"},
		"lone surrogate":    {`<Text name="t" value="$text"/>`, `{"text":"a\ud83d b"}`, "a\uFFFD b"},
		"path":              {`<Text name="t" value="$a.b.c"/>`, `{"a":{"b":{"c":"x"}}}`, "x"},
		"index":             {`<Text name="t" value="$items[1].x"/>`, `{"items":[{"x":"no"},{"x":"yes"}]}`, "yes"},
		"index first":       {`<Text name="t" value="$m[0][1]"/>`, `{"m":[["a","b"]]}`, "b"},
		"dotted key":        {`<Text name="t" value="$a.b"/>`, `{"a.b":"whole","a":{"b":"part"}}`, "whole"},
		"dotted inner key":  {`<Text name="t" value="$a.b.c"/>`, `{"a":{"b.c":"inner"}}`, "inner"},
		"mixed":             {`<Text name="t" value="Title: $title. By $who"/>`, `{"title":"T","who":"W"}`, "Title: T. By W"},
		"mixed, one absent": {`<Text name="t" value="$title / $who"/>`, `{"title":"T"}`, "T / "},
		"number":            {`<Text name="t" value="$n"/>`, `{"n":12.50}`, "12.50"},
		"bool":              {`<Text name="t" value="$n"/>`, `{"n":true}`, "true"},
		"null":              {`<Text name="t" value="$n"/>`, `{"n":null}`, ""},
		"list of texts":     {`<Text name="t" value="$n"/>`, `{"n":["a",1,null,"b"]}`, "a\n1\n\nb"},
		"base64":            {`<Text name="t" value="$n" encoding="base64unicode"/>`, `{"n":"Wm/Dqw=="}`, "Zoë"},
		"html":              {`<HyperText name="t" value="$h"/>`, `{"h":"<style>p{}</style><p>Caf&eacute; &lt;b&gt; <b>b</b>old</p>\n <p>two<br/>three</p><script>var a='<p>no</p>';</script>"}`, "Café <b> bold\ntwo\nthree"},
		"html attribute":    {`<HyperText name="t" value="$h"/>`, `{"h":"<a title=\"x > y\">link</a> a < b<!-- > no --> c"}`, "link a < b c"},
		"html cut off":      {`<HyperText name="t" value="$h"/>`, `{"h":"done <b and then"}`, "done"},
		"html table":        {`<HyperText name="t" value="$h"/>`, `{"h":"<table><tr><td>a</td><td>b</td></tr></table>"}`, "a\nb"},
		"html entity":       {`<HyperText name="t" value="$h"/>`, `{"h":"1&nbsp;&#x20AC; &amp;amp; &bogus;"}`, "1 € &amp; &bogus;"},
		"dialogue":          {`<Paragraphs name="t" value="$d"/>`, `{"d":[{"author":"Ann","text":"Hi"},{"text":"Ho"},{"author":null,"text":null}]}`, "Ann: Hi\nHo\n"},
		"dialogue keys":     {`<Paragraphs name="t" value="$d" nameKey="who" textKey="says"/>`, `{"d":[{"who":"Bob","says":"Hi","text":"no"}]}`, "Bob: Hi"},
		"dialogue of texts": {`<Paragraphs name="t" value="$d"/>`, `{"d":["a","b"]}`, "a\nb"},
		"dialogue text":     {`<Paragraphs name="t" value="$d"/>`, `{"d":"just text"}`, "just text"},
		"dialogue empty":    {`<Paragraphs name="t" value="$d"/>`, `{"d":[]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Text(object(t, tc.tag), json.RawMessage(tc.data))
			if err != nil || got != tc.want {
				t.Errorf("got %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestTextFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		tag, data, why string
		noText         bool
	}{
		"absent":       {`<Text name="t" value="$text"/>`, `{"other":"x"}`, "$text", true},
		"all absent":   {`<Text name="t" value="$a and $b"/>`, `{}`, "none of its fields", true},
		"object":       {`<Text name="t" value="$text"/>`, `{"text":{"a":1}}`, "object", true},
		"past the end": {`<Text name="t" value="$a[3]"/>`, `{"a":[]}`, "$a[3]", true},
		"through text": {`<Text name="t" value="$a.b"/>`, `{"a":"x"}`, "$a.b", true},
		"no data":      {`<Text name="t" value="$a"/>`, ``, "$a", true},
		"null data":    {`<Text name="t" value="$a"/>`, `null`, "$a", true},
		"broken data":  {`<Text name="t" value="$a"/>`, `{"a":`, "$a", true},
		"not base64":   {`<Text name="t" value="$a" encoding="base64"/>`, `{"a":"??"}`, "base64", true},
		"no text key":  {`<Paragraphs name="t" value="$a"/>`, `{"a":[{"author":"x"}]}`, "textKey", true},
		"url":          {`<Text name="t" value="$a" valueType="url"/>`, `{"a":"http://x"}`, "does not fetch URLs", false},
		"image":        {`<Image name="t" value="$a"/>`, `{"a":"http://x"}`, "not text", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Text(object(t, tc.tag), json.RawMessage(tc.data))
			if err == nil || !strings.Contains(err.Error(), tc.why) || errors.Is(err, ErrNoText) != tc.noText {
				t.Errorf("got %q, %v; want an error about %q", got, err, tc.why)
			}
		})
	}
}

func FuzzText(f *testing.F) {
	f.Add("Text", "$a.b[0].c", `{"a":{"b":[{"c":"x"}]}}`)
	f.Add("HyperText", "$h", `{"h":"<p title='>'>a<br>&amp;</p><script>x</script><!-- "}`)
	f.Add("Paragraphs", "$p", `{"p":[{"author":"a","text":"b"},"c",null]}`)
	f.Add("Text", "x $a. $b[", `{"a":1,"b[":2}`)
	f.Add("HyperText", "<$a$b", `{"a":"script","b":">"}`)
	f.Fuzz(func(t *testing.T, kind, value, data string) {
		o := labelconfig.Object{Name: "o", Type: kind, Value: value, NameKey: "author", TextKey: "text"}
		s, err := Text(o, json.RawMessage(data))
		if Unreadable(o) != "" {
			if err == nil || errors.Is(err, ErrNoText) || !strings.Contains(err.Error(), Unreadable(o)) {
				t.Fatalf("%q, which %s, is read as %q, %v", value, Unreadable(o), s, err)
			}
			return
		}
		if err != nil && s != "" {
			t.Fatalf("text %q beside error %v", s, err)
		}
		if !utf8.ValidString(s) && utf8.ValidString(value) {
			t.Fatalf("text is not UTF-8: %q", s)
		}
		again, _ := Text(o, json.RawMessage(data))
		if again != s {
			t.Fatalf("not the same twice: %q, %q", s, again)
		}
	})
}

func BenchmarkText(b *testing.B) {
	o := object(b, `<Text name="t" value="$text"/>`)
	data := json.RawMessage(`{"text":"` + strings.Repeat("some words of text ", 12) + `","meta":{"id":12,"source":"feed"}}`)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Text(o, data); err != nil {
			b.Fatal(err)
		}
	}
}
