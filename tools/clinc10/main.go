// Command clinc10 makes data/clinc10 from the ten-domain form of clinc/oos-eval:
//
//	go run ./tools/clinc10 -from DIR -to data/clinc10
//
// DIR holds train.jsonl.gz and test.jsonl.gz with one {"text","label"} a line.
// The same input gives the same bytes: what is taken is decided by a hash of the
// text. The result's checksums are in data/clinc10/SHA256SUMS.
package main

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// example is one line; the fields' order is that of the files.
type example struct {
	Text  string `json:"text"`
	Label string `json:"label"`
}

// names are the labels as people read them; the values of label_config.xml.
var names = map[string]string{
	"auto_and_commute":   "Auto and commute",
	"banking":            "Banking",
	"credit_cards":       "Credit cards",
	"home":               "Home",
	"kitchen_and_dining": "Kitchen and dining",
	"meta":               "Meta",
	"small_talk":         "Small talk",
	"travel":             "Travel",
	"utility":            "Utility",
	"work":               "Work",
}

func main() {
	from := flag.String("from", "", "directory with train.jsonl.gz and test.jsonl.gz")
	to := flag.String("to", filepath.Join("data", "clinc10"), "directory to write to")
	flag.Parse()
	if err := run(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, "clinc10:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	train, err := read(filepath.Join(from, "train.jsonl.gz"))
	if err != nil {
		return err
	}
	test, err := read(filepath.Join(from, "test.jsonl.gz"))
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, e := range train {
		seen[e.Text] = true
	}
	// A text in both would make the accuracy look better than it is.
	test = slices.DeleteFunc(test, func(e example) bool { return seen[e.Text] })

	var sums strings.Builder
	for _, out := range []struct {
		name string
		from []example
		each int
	}{{"tasks.jsonl", train, 100}, {"test.jsonl", test, 50}} {
		picked, err := pick(out.from, out.each)
		if err != nil {
			return err
		}
		b, err := lines(picked)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, out.name), b, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(b), out.name)
	}
	return os.WriteFile(filepath.Join(to, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// pick takes each examples of every label, those with the smallest hashes, in
// the order of the hashes: shuffled, and the same every time.
func pick(from []example, each int) ([]example, error) {
	from = slices.Clone(from)
	hash := func(e example) string { h := sha256.Sum256([]byte(e.Text)); return string(h[:]) }
	slices.SortFunc(from, func(a, b example) int { return strings.Compare(hash(a), hash(b)) })
	count := map[string]int{}
	var out []example
	for _, e := range from {
		if count[e.Label]++; count[e.Label] <= each {
			out = append(out, e)
		}
	}
	for _, name := range names {
		if count[name] < each {
			return nil, fmt.Errorf("%d examples of %q, %d wanted", count[name], name, each)
		}
	}
	return out, nil
}

func lines(es []example) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, e := range es {
		if err := enc.Encode(e); err != nil {
			return nil, err
		}
	}
	return []byte(b.String()), nil
}

func read(path string) ([]example, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var out []example
	s := bufio.NewScanner(z)
	for n := 1; s.Scan(); n++ {
		var e example
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		name, ok := names[e.Label]
		if !ok {
			return nil, fmt.Errorf("%s:%d: unknown label %q", path, n, e.Label)
		}
		e.Label = name
		out = append(out, e)
	}
	return out, s.Err()
}
