package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/sirupsen/logrus"
	"pgregory.net/rapid"
)

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		format string
		json   bool
	}{{"json", true}, {"text", false}, {"auto", true}} {
		var out bytes.Buffer
		log, err := New(&out, "info", c.format)
		if err != nil {
			t.Fatal(err)
		}
		log.Debug("unseen")
		log.WithField("project", 3).Info("seen")
		got := out.String()
		if json.Valid(out.Bytes()) != c.json || strings.Contains(got, "unseen") || !strings.Contains(got, "seen") ||
			!strings.Contains(got, "project") || strings.Contains(got, "\x1b") {
			t.Errorf("%s: %q", c.format, got)
		}
	}
}

// A pipe and a regular file are not terminals.
func TestAutoIntoAFileIsJSON(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	log, err := New(f, "info", "auto")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("seen")
	if b, err := os.ReadFile(f.Name()); err != nil || !json.Valid(b) {
		t.Errorf("%q, %v", b, err)
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range [][2]string{{"loud", "text"}, {"info", "xml"}, {}} {
		if _, err := New(io.Discard, o[0], o[1]); err == nil || !strings.Contains(err.Error(), "use ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestSecretsStayOut(t *testing.T) {
	const secret = `hun"ter\2 & <co>`
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		log, err := New(&out, "info", format, "", secret)
		if err != nil {
			t.Fatal(err)
		}
		u := &url.URL{Scheme: "http", Host: "h", Path: "/" + secret, RawQuery: url.Values{"token": {secret}}.Encode()}
		log.Info("message " + secret)
		log.WithField(secret, "as a name").Info("m")
		log.WithError(fmt.Errorf("get %q: %w", u, errors.New("bad token "+secret))).Error("m")
		log.WithField("header", http.Header{"Authorization": {"Token " + secret}}).Info("m")
		log.WithField("quoted", fmt.Sprintf("%q", secret)).Info("m")
		log.WithField("nested", struct{ A map[string][]string }{map[string][]string{"k": {secret}}}).Info("m")
		got := out.String()
		for _, leak := range []string{"hun", "ter", "co>"} {
			if strings.Contains(got, leak) {
				t.Errorf("%s: %q is in:\n%s", format, leak, got)
			}
		}
		if strings.Count(got, mask) < 6 {
			t.Errorf("%s: something is missing:\n%s", format, got)
		}
	}
}

// Whatever the secret and wherever it stands, it is gone, and a line of JSON
// stays a line of JSON.
func TestAnySecret(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[!-~]{8,20}`).Draw(t, "secret")
		before := rapid.StringMatching(`[ -~]{0,6}`).Draw(t, "before")
		var out bytes.Buffer
		log, err := New(&out, "info", "json", secret, secret[:4])
		if err != nil {
			t.Fatal(err)
		}
		log.WithField("f", before+secret).WithField("e", errors.New(secret+before)).WithField("n", 12345678).Info(before + secret)
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		for k, v := range line {
			if s, ok := v.(string); ok && strings.Contains(s, secret) && !strings.Contains(mask+before+mask, secret) {
				t.Fatalf("%s holds the secret: %s", k, out.String())
			}
		}
	})
}

func TestDigitsKeepJSONValid(t *testing.T) {
	var out bytes.Buffer
	log, err := New(&out, "info", "json", "1234")
	if err != nil {
		t.Fatal(err)
	}
	log.WithField("status", 1234).Warn("m")
	var line map[string]string
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["level"] != "warning" || strings.Contains(out.String(), "1234") {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestRedactWhileLogging(t *testing.T) {
	var out bytes.Buffer
	log, err := New(&out, "info", "json")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 50 {
				log.Info("m")
			}
			if !Redact(log, fmt.Sprintf("late-secret-%d", i)) {
				t.Error("Redact does not know New's logger")
			}
		})
	}
	wg.Wait()
	out.Reset()
	log.Info("late-secret-0 late-secret-3")
	if strings.Contains(out.String(), "late") {
		t.Errorf("got %s", out.String())
	}
	if Redact(logrus.New(), "x") {
		t.Error("a foreign logger was said to be redacted")
	}
}
