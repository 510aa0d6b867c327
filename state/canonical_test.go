package state

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestCanonicalSpelling(t *testing.T) {
	for name, c := range map[string]struct {
		a, b string
		same bool
	}{
		"spaces":            {`{"a": [1, 2]}`, `{"a":[1,2]}`, true},
		"order of keys":     {`{"a":1,"b":2}`, `{"b":2,"a":1}`, true},
		"order of elements": {`[1,2]`, `[2,1]`, false},
		"escapes":           {`"\u00e9\/<"`, `"é/\u003c"`, true},
		"whole float":       {`50.0`, `50`, true},
		"exponent":          {`1e-07`, `0.0000001`, true},
		"minus nought":      {`-0.0`, `0`, true},
		"long ids":          {`9007199254740993`, `9007199254740992`, false},
		"longer ids":        {`18446744073709551617`, `18446744073709551616`, false},
		"too large":         {`1e999`, `1e998`, false},
		"number and text":   {`1`, `"1"`, false},
		"nothing":           {``, `null`, true},
		"null and empty":    {`null`, `{}`, false},
		"not json":          {`{`, `{{`, false},
	} {
		if got := bytes.Equal(canonicalJSON(json.RawMessage(c.a)), canonicalJSON(json.RawMessage(c.b))); got != c.same {
			t.Errorf("%s: %s and %s the same: %v, want %v", name, c.a, c.b, got, c.same)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.50,-0,1e400],"b":null}`, `"\ud800"`, `[[[`, ``, `{"a":1,"a":2}`, `123456789012345678901234567890.5`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		c := canonicalJSON(b)
		if !bytes.Equal(b, before) {
			t.Fatal("the input was changed")
		}
		if again := canonicalJSON(c); !bytes.Equal(again, c) {
			t.Fatalf("%q becomes %q, then %q", b, c, again)
		}
		if json.Valid(b) {
			var spaced bytes.Buffer
			if err := json.Indent(&spaced, b, " ", "  "); err != nil {
				t.Fatal(err)
			}
			if s := canonicalJSON(spaced.Bytes()); !bytes.Equal(s, c) {
				t.Fatalf("%q and %q differ: %q, %q", b, spaced.Bytes(), c, s)
			}
		}
	})
}

// Records come from a file that may be damaged: an error, never a panic.
func FuzzRecords(f *testing.F) {
	f.Add(make([]byte, 16), encodeAnnotation(annotation(1, 2, 3, "x"), version{at: sec(3), hash: 4}))
	f.Add([]byte{}, encodeTask(task(1, 2, `{}`), version{at: sec(2), hash: 4}, 9))
	f.Add([]byte{}, encodeRef(annotationRef{task: 3, stamp: version{at: sec(2)}, at: 9}))
	f.Add([]byte{}, encodeRef(annotationRef{deleted: true, at: 9}))
	f.Add([]byte{}, encodeTombstone(9))
	f.Fuzz(func(t *testing.T, key, b []byte) {
		if task, st, at, err := decodeTask(1, b); err == nil && !bytes.Equal(encodeTask(task, st, at), b) {
			// Nanoseconds beyond a second, and a record without a position, are what has
			// two spellings.
			if _, again, pos, err := decodeTask(1, encodeTask(task, st, at)); err != nil || !again.at.Equal(st.at) || pos != at {
				t.Fatalf("task: %x is read as %+v", b, task)
			}
		}
		_, _ = decodeAnnotation(key, b)
		_, _ = decodeRef(1, b)
		_, _ = decodeTombstone(1, b)
	})
}
