package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const shipped = "../../data/clinc10"

func load(t *testing.T, name string) []example {
	t.Helper()
	f, err := os.Open(filepath.Join(shipped, name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []example
	for s := bufio.NewScanner(f); s.Scan(); {
		var e example
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// What is shipped is balanced, keeps training and test apart, and its labels
// are the choices of the label config.
func TestShippedData(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(shipped, "label_config.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var view struct {
		Choices []struct {
			Choice []struct {
				Value string `xml:"value,attr"`
			}
		}
	}
	if err := xml.Unmarshal(b, &view); err != nil || len(view.Choices) != 1 {
		t.Fatalf("label_config.xml: %v, %d Choices", err, len(view.Choices))
	}
	choices := map[string]bool{}
	for _, c := range view.Choices[0].Choice {
		choices[c.Value] = true
	}
	if len(choices) != len(names) {
		t.Errorf("label_config.xml has %d choices, want %d", len(choices), len(names))
	}
	seen := map[string]string{}
	for name, each := range map[string]int{"tasks.jsonl": 100, "test.jsonl": 50} {
		count := map[string]int{}
		for _, e := range load(t, name) {
			count[e.Label]++
			if e.Text == "" || !choices[e.Label] {
				t.Errorf("%s: %q has the label %q", name, e.Text, e.Label)
			}
			if other, dup := seen[e.Text]; dup {
				t.Errorf("%q is in %s and %s", e.Text, other, name)
			}
			seen[e.Text] = name
		}
		for label := range choices {
			if count[label] != each {
				t.Errorf("%s: %d of %q, want %d", name, count[label], label, each)
			}
		}
	}
}

func TestChecksums(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(shipped, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(all) != 2 {
		t.Errorf("%d checksums, want 2", len(all))
	}
	for _, line := range all {
		sum, name, _ := strings.Cut(line, "  ")
		b, err := os.ReadFile(filepath.Join(shipped, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != sum {
			t.Errorf("%s has the checksum %s, want %s", name, got, sum)
		}
	}
}

func TestPickIsBalancedAndStable(t *testing.T) {
	var all []example
	for _, name := range names {
		for i := range 20 {
			all = append(all, example{fmt.Sprint(name, i), name})
		}
	}
	a, err := pick(all, 5)
	if err != nil || len(a) != 50 {
		t.Fatalf("%d picked, %v", len(a), err)
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	b, err := pick(all, 5)
	if err != nil || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("another order of the input gives another sample: %v", err)
	}
	if _, err := pick(all, 21); err == nil {
		t.Error("too few examples went unnoticed")
	}
}
