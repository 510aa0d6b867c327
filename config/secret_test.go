package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/internal/secret"
)

func TestSecretIsNeverSeen(t *testing.T) {
	const word = "hunter2"
	cfg := Default()
	cfg.LabelStudio.APIKey = secret.Secret(word)
	s := cfg.LabelStudio.APIKey

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		for _, v := range []any{s, &s, cfg, &cfg, cfg.LabelStudio, []secret.Secret{s}, map[string]secret.Secret{"a": s}, struct{ S secret.Secret }{s}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		for _, v := range []any{s, cfg, &cfg} {
			b, err := marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(b)
		}
	}
	for _, f := range []logrus.Formatter{&logrus.TextFormatter{}, &logrus.JSONFormatter{}} {
		log := logrus.New()
		log.Out, log.Formatter = &out, f
		log.WithField("secret", s).WithField("config", cfg).Info(s, cfg)
	}
	fmt.Fprintln(&out, fmt.Errorf("wrapped: %v %w", s, Fault{Value: s.String()}))
	got := out.String()
	for _, leak := range []string{word, fmt.Sprintf("%x", word), fmt.Sprintf("%X", word), "104 117 110"} {
		if strings.Contains(got, leak) {
			t.Errorf("%q is in:\n%s", leak, got)
		}
	}
	if !strings.Contains(got, secret.Hidden) {
		t.Error("nothing was printed at all")
	}
	if s.Reveal() != word || secret.Secret("").String() != "" {
		t.Error("Reveal or the zero value is wrong")
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{
		"32MiB": 32 << 20, "32 mib": 32 << 20, "1GiB": 1 << 30, "512kB": 512_000, "7": 7, "7b": 7, "0": 0, " 2KiB ": 2048,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "1 TiB", "9223372036854775807GiB", "0x10", "1e3", "12 34"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q was read as %d", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := Size(rapid.Int64Min(0).Draw(t, "n"))
		if got, err := ParseSize(want.String()); err != nil || got != want {
			t.Fatalf("%s was read as %d, %v", want, got, err)
		}
	})
}

func TestNearest(t *testing.T) {
	for s, want := range map[string]string{
		"sampler.stratgy": "sampler.strategy", "SAMPLER.QUEUE": "sampler.queue", "zzzzzz": "", "": "",
		strings.Repeat("x", 10_000): "",
	} {
		if got := nearestName(s, fileKeys()); got != want {
			t.Errorf("nearest to %.20q is %q, want %q", s, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.Rune(), 0, 20, -1)
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		if (editDistance(a, b) == 0) != (a == b) || editDistance(a, b) != editDistance(b, a) || editDistance(a, c) > editDistance(a, b)+editDistance(b, c) {
			t.Fatal("not a metric")
		}
	})
}
