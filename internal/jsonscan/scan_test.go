package jsonscan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The scanner must take exactly what encoding/json takes: less would lose
// events, more would put bytes into the log that cannot be read back.
func FuzzScannerAgreesWithEncodingJSON(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "labelstudio", "testdata", "fixtures", "*.json"))
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{
		`{}`, `[]`, ` [ 1 , -0.5e+7 , 01 ]`, `[1.]`, `[-]`, `[1e]`, `"\u12g4"`, `"\ud83d"`, "\"\x01\"", "\"\xff\"", `{"a":1,}`, `[1,]`, `{"a"}`,
		`{"a" : {"b":[null,true,false,nul]}}`, `tru`, `"open`, `{"a":1} x`, ``, `+1`, `.5`, "\ufeff{}", `"\`, `"\u12`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := New(b)
		raw, err := s.Raw()
		if err == nil {
			err = s.End()
		}
		valid := json.Valid(b)
		if valid != (err == nil) && (err == nil || !strings.Contains(err.Error(), "deep")) {
			t.Fatalf("scanner: %v; json.Valid: %v", err, valid)
		}
		if err != nil {
			return
		}
		if s.depth != 0 || string(raw) != strings.Trim(string(b), " \t\r\n") {
			t.Fatalf("depth %d, raw %q of %q", s.depth, raw, b)
		}
		var want string
		if json.Unmarshal(b, &want) == nil {
			if got, err := New(b).Text(); err != nil || got != want {
				t.Fatalf("text %q, %v; want %q", got, err, want)
			}
		}
		var n int64
		if json.Unmarshal(b, &n) == nil {
			if got, err := New(b).Int(); err != nil || got != n {
				t.Fatalf("integer %d, %v; want %d", got, err, n)
			}
		}
	})
}

func TestScannerBoundsDepth(t *testing.T) {
	for _, open := range []string{"[", `{"a":`} {
		s := New([]byte(strings.Repeat(open, 1_000_000)))
		if err := s.Skip(); err == nil || !strings.Contains(err.Error(), "deep") {
			t.Errorf("error %v", err)
		}
	}
}
