package cut

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestBytesAndRunes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, n := rapid.String().Draw(t, "text"), rapid.IntRange(0, 20).Draw(t, "n")
		bytes := Bytes(text, n)
		if !strings.HasPrefix(text, bytes) || len(bytes) > n || !utf8.ValidString(bytes) || len(bytes) < min(len(text), n-utf8.UTFMax+1) {
			t.Errorf("%d bytes of %q: %q", n, text, bytes)
		}
		all := []rune(text)
		if got := Runes(text, n); got != string(all[:min(n, len(all))]) {
			t.Errorf("%d characters of %q: %q", n, text, got)
		}
		want := Runes(text, n)
		if want != text {
			want += " …"
		}
		if got := Ellipsis(text, n); got != want {
			t.Errorf("%d characters of %q, and a sign that it goes on: %q", n, text, got)
		}
	})
}

func TestWhatIsNotUTF8IsCutNearTheEnd(t *testing.T) {
	text := strings.Repeat("\x80", 100)
	if got := len(Bytes(text, 50)); got != 46 {
		t.Errorf("%d bytes", got)
	}
	if got := len(Runes(text, 50)); got != 50 {
		t.Errorf("%d bytes", got)
	}
}
