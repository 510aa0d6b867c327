// Package demo makes a Label Studio project from labelled data and plays an
// annotator who answers from the known labels.
package demo

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Example is one line of the shipped data: a text and its true label.
type Example struct {
	Text  string `json:"text"`
	Label string `json:"label"`
}

// Data is a data set ready for a project.
type Data struct {
	// LabelConfig is Label Studio's XML; Tasks go into the project, Test stays out.
	LabelConfig string
	Tasks, Test []Example
}

// Load reads label_config.xml, tasks.jsonl and test.jsonl from a directory.
func Load(dir string) (Data, error) {
	config, err := os.ReadFile(filepath.Join(dir, "label_config.xml")) // #nosec G304 -- named by the user
	if err != nil {
		return Data{}, fmt.Errorf("demo data: %w (run it from the root of a checkout, or name the directory with --data)", err)
	}
	d := Data{LabelConfig: string(config)}
	if d.Tasks, err = readLines(filepath.Join(dir, "tasks.jsonl")); err != nil {
		return Data{}, err
	}
	if d.Test, err = readLines(filepath.Join(dir, "test.jsonl")); err != nil {
		return Data{}, err
	}
	return d, nil
}

func readLines(file string) ([]Example, error) {
	f, err := os.Open(file) // #nosec G304 -- named by the user
	if err != nil {
		return nil, fmt.Errorf("demo data: %w", err)
	}
	defer func() { _ = f.Close() }()
	var out []Example
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		var e Example
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("demo data: %s:%d: %w", file, n, err)
		}
		out = append(out, e)
	}
	return out, lines.Err()
}
