package settings_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/internal/golden"
	"github.com/hone-ml/hone/sampler/strategy"
	"github.com/hone-ml/hone/settings"
)

// The page of hone's HTTP has the table as it is.
func TestThePageHasTheTable(t *testing.T) {
	const page, begin, end = "../docs/HTTP.md", "<!-- go test ./settings -run Page -update writes this -->\n", "\n<!-- end of it -->"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	have, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table of settings", page)
	}
	s := config.Default().Sampler
	var builtIn []string // also where the tag nominilm leaves one out
	for _, name := range encoders.Names() {
		if !strings.Contains(name, ":") {
			builtIn = append(builtIn, name)
		}
	}
	var want strings.Builder
	want.WriteString("\n| key | takes | default | what it does |\n|---|---|---|---|\n")
	for _, r := range settings.NewTable(settings.Defaults{Ranking: settings.Ranking{Strategy: s.Strategy, Queue: s.Queue, RandomShare: s.RandomShare}}, strategy.Names(), builtIn).List(nil) {
		byDefault := "`" + r.Default + "`"
		switch r.Key {
		case "strategy", "queue", "random_share":
			byDefault = "`sampler." + r.Key + "` of the configuration"
		case "adapt":
			byDefault = "`learner.adapt` of the configuration"
		}
		if r.Default == "" {
			byDefault = "empty"
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", r.Key, r.Type, byDefault, r.Doc)
	}
	if golden.Updating() {
		if err := os.WriteFile(page, []byte(before+begin+want.String()+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have != want.String() {
		t.Errorf("%s has another table of settings than package settings; go test ./settings -run Page -update", page)
	}
}
