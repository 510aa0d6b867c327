package config

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const exampleFile = "../config.example.yaml"

func TestExampleFileIsTheDefaults(t *testing.T) {
	got, err := Load(Sources{File: exampleFile, Names: known})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Learner.Encoder = "minilm" // also where the tag nominilm leaves it out
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config.example.yaml differs from Default() (-default +file):\n%s", diff)
	}
}

func TestExampleFileExplainsEveryKey(t *testing.T) {
	b, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	var walk func(n *yaml.Node, prefix string)
	walk = func(n *yaml.Node, prefix string) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			explained[prefix+k.Value] = len(strings.TrimSpace(strings.TrimLeft(k.HeadComment, "# "))) > 10
			if v.Kind == yaml.MappingNode {
				walk(v, prefix+k.Value+".")
			}
		}
	}
	walk(doc.Content[0], "")

	for _, f := range configFields {
		ok, present := explained[f.key]
		if !present {
			t.Errorf("%s is missing from config.example.yaml", f.key)
		} else if !ok {
			t.Errorf("%s has no comment above it in config.example.yaml", f.key)
		}
	}
	for s := range configSections {
		if !explained[s] {
			t.Errorf("section %s has no comment above it in config.example.yaml", s)
		}
	}
	for _, name := range slices.Concat(known.Encoders, known.Strategies) {
		if !strings.Contains(string(b), name) {
			t.Errorf("config.example.yaml does not name %q", name)
		}
	}
	for name := range envAliases {
		if !strings.Contains(string(b), name) {
			t.Errorf("config.example.yaml does not name the variable %s", name)
		}
	}
}
