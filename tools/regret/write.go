package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// writeAll writes each set as JSON lines to a file of a folder.
func writeAll(dir string, sets []set) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, s := range sets {
		if err := s.write(filepath.Join(dir, strings.NewReplacer(" ", "-", ":", "-").Replace(s.name)+".jsonl")); err != nil {
			return err
		}
	}
	return nil
}

func (s set) write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	e := json.NewEncoder(f)
	for _, t := range s.texts {
		if err := e.Encode(map[string]string{"text": t.Text, "label": t.Label}); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}
