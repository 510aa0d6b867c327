package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBenchWritesTheContractsKeys(t *testing.T) {
	data := filepath.Join(t.TempDir(), "few.jsonl.gz")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for i := range 12 {
		_, err := fmt.Fprintf(z, "{\"text\": \"text %d of a few\", \"label\": \"%d\"}\n", i, i%3)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	require.NoError(t, os.WriteFile(data, packed.Bytes(), 0o600))
	out, err := runHone(t, "bench", "--data", data, "--encoder", "hashed", "--for", "1ms", "--ones", "3", "--json", "-")
	require.NoError(t, err)
	var figures map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &figures), "nothing but JSON on standard output")
	for _, key := range []string{"encode_per_s", "learn_per_s", "predict_per_s", "webhooks_per_s", "webhooks_64_per_s", "ack_p99_ms", "rss_mb"} {
		assert.Greater(t, figures[key], 0.0, key)
	}
}

func TestBenchRefusesWithTheFix(t *testing.T) {
	for want, args := range map[string][]string{
		`required flag(s) "data" not set`:          {"bench"},
		"nowhere.jsonl":                            {"bench", "--data", "nowhere.jsonl"},
		`unknown encoder "none"; use one of`:       {"bench", "--data", "nowhere.jsonl", "--encoder", "none"},
		"--ones 0; it must be at least 1":          {"bench", "--data", "nowhere.jsonl", "--ones", "0"},
		"--for 0s; it must be above 0, such as 2s": {"bench", "--data", "nowhere.jsonl", "--for", "0s"},
	} {
		_, err := runHone(t, args...)
		assert.ErrorContains(t, err, want)
	}
}
