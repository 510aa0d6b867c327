package jsonscan_test

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hone-ml/hone/internal/jsonscan"
)

func TestMembers(t *testing.T) {
	var got []string
	err := jsonscan.Members("it", strings.NewReader(` {"a": [1, 2],"b":{"c":null} , "a":"\u00e9"}`+"\n"), func(name string, value json.RawMessage) error {
		got = append(got, name+"="+string(value))
		return nil
	})
	if want := []string{"a=[1, 2]", `b={"c":null}`, `a="\u00e9"`}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	for text, want := range map[string]string{
		``: "it is empty, not a JSON object", ` `: "it is empty, not a JSON object", `[]`: "it is not a JSON object", `7`: "it is not a JSON object", `null`: "it is not a JSON object",
		`{`: "it is not JSON", `{"a"}`: "it is not JSON", `{"a":1,}`: "it is not JSON", `{a:1}`: "it is not JSON", `{"a":1]`: "it is not JSON",
		`{"a":` + strings.Repeat("[", 20000): "it is not JSON", "\xff": "it is not JSON", `{}{}`: "something follows", `{} x`: "something follows",
	} {
		err := jsonscan.Members("it", strings.NewReader(text), func(string, json.RawMessage) error { return nil })
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, jsonscan.ErrNotObject) != strings.HasSuffix(want, "object") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// What reading fails with is told, wherever it fails, and an error of the caller as it is.
func TestMembersKeepErrors(t *testing.T) {
	broken := errors.New("broken")
	const text = `{"a":1,"b":[2]}  `
	for n := range len(text) {
		r := io.MultiReader(strings.NewReader(text[:n]), iotest.ErrReader(broken))
		if err := jsonscan.Members("it", r, func(string, json.RawMessage) error { return nil }); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	if err := jsonscan.Members("it", strings.NewReader(text), func(string, json.RawMessage) error { return broken }); err != broken { //nolint:errorlint // the same
		t.Error(err)
	}
}
