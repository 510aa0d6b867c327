package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/text/minilm"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/sampler/strategy"
)

func runHone(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestSimulateWritesTableJSONAndPlot(t *testing.T) {
	shipped, dir := filepath.Join("..", "..", "data", "clinc10"), t.TempDir()
	args := []string{
		"simulate", "--data", filepath.Join(shipped, "tasks.jsonl"), "--test", filepath.Join(shipped, "test.jsonl"),
		"--label-config", filepath.Join(shipped, "label_config.xml"), "--labels", "0,20,60", "--batch", "20", "--seeds", "2",
		"--strategy", "margin,random", "--encoder", "hashed",
	}
	out, err := runHone(t, append(args, "--json", filepath.Join(dir, "out.json"), "--plot", filepath.Join(dir, "curve.svg"))...)
	require.NoError(t, err)
	assert.Contains(t, out, "10 classes, 1000 tasks to learn from, 500 to measure on")
	assert.Regexp(t, `margin +60 +0\.\d{3} ± 0\.\d{3}`, out)
	svg, err := os.ReadFile(filepath.Join(dir, "curve.svg"))
	require.NoError(t, err)
	assert.Contains(t, string(svg), "tasks.jsonl, hashed features, mean of 2 seeds")
	written, err := os.ReadFile(filepath.Join(dir, "out.json"))
	require.NoError(t, err)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 2)

	out, err = runHone(t, append(args, "--json", "-", "--jobs", "2")...)
	require.NoError(t, err)
	type file struct {
		Curves []struct {
			Strategy string
			Seed     int
			Points   []struct {
				Labels   int
				Accuracy float64
				MacroF1  float64 `json:"macro_f1"`
			}
		}
	}
	var a, b file
	require.NoError(t, json.Unmarshal(written, &a))
	require.NoError(t, json.Unmarshal([]byte(out), &b), "nothing but JSON on standard output")
	assert.Equal(t, a, b)
	assert.Len(t, a.Curves, 4)
}

// A table without test data is enough: what is held out is told, and what is saved.
func TestSimulateHoldsOutATestSet(t *testing.T) {
	var b strings.Builder
	b.WriteString("body;topic\n")
	for i := range 60 {
		_, _ = fmt.Fprintf(&b, "\"number %d; a topic%d text\";class %d\n", i, i%2, i%2)
	}
	file := filepath.Join(t.TempDir(), "tickets.csv")
	require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
	args := []string{"simulate", "--data", file, "--text", "body", "--label", "topic", "--labels", "0,10,30", "--seeds", "2", "--encoder", "hashed"}
	out, err := runHone(t, args...)
	require.NoError(t, err)
	assert.Regexp(t, `No --test: (\d+) of the 60 tasks of .*tickets\.csv are held out to measure on, by a hash of their text, the same each time: numbers (\d+, ){9}\d+ and so on`, out)
	assert.Contains(t, out, "labels saved against random")
	assert.Regexp(t, `(?m)^coverage +10 .* (\+\d+|-\d+|more than \S+)( ± \d+)?$`, out)
	assert.Regexp(t, `(?m)^random +10 +\S+ ± \S+ +\S+ ± \S+$`, out)
	first, err := runHone(t, append(args, "--json", "-")...)
	require.NoError(t, err)
	var got struct {
		HeldOut struct {
			Tasks, Of int
			Numbers   []int
		} `json:"held_out"`
		Saved []struct{ Strategy string }
	}
	require.NoError(t, json.Unmarshal([]byte(first), &got))
	assert.Equal(t, 60, got.HeldOut.Of)
	assert.Len(t, got.HeldOut.Numbers, got.HeldOut.Tasks)
	assert.Len(t, got.Saved, 3)
	for want, more := range map[string][]string{
		"none of the others can be":          {"--test", file, "--hold-out", "0.5"},
		"--hold-out 1; it must be":           {"--hold-out", "1"},
		"--hold-out -0.1; it must be":        {"--hold-out=-0.1"},
		"--adapt on; it must be":             {"--adapt", "on"},
		"--odds maybe; it must be on or off": {"--odds", "maybe"},
		"badge does not say by how much":     {"--odds", "on", "--strategy", "badge"},
		"design effect 0.5; it must be":      {"--odds", "on", "--design-effect", "0.5"},
		"not for static":                     {"--adapt", "auto", "--encoder", "static"},
		`has no column "tag"`:                {"--label", "tag"},
	} {
		_, err := runHone(t, append(args, more...)...)
		assert.ErrorContains(t, err, want)
	}
}

func TestSimulateRefusesWithTheFix(t *testing.T) {
	shipped := filepath.Join("..", "..", "data", "clinc10")
	good := []string{"simulate", "--data", filepath.Join(shipped, "tasks.jsonl"), "--test", filepath.Join(shipped, "test.jsonl")}
	for want, args := range map[string][]string{
		`required flag(s) "data" not set`:    {"simulate"},
		`unknown encoder "none"; use one of`: append(good[:5:5], "--encoder", "none"),
		`unknown sampling strategy "best"`:   append(good[:5:5], "--strategy", "best"),
		"must rise: 5 comes after 10":        append(good[:5:5], "--labels", "10,5"),
		"nowhere.jsonl":                      {"simulate", "--data", "nowhere.jsonl", "--test", "nowhere.jsonl"},
		"write " + filepath.Join(shipped, "nowhere", "x"): append(good[:5:5], "--labels", "1", "--seeds", "1", "--strategy", "random", "--encoder", "hashed",
			"--json", filepath.Join(shipped, "nowhere", "x")),
	} {
		_, err := runHone(t, args...)
		assert.ErrorContains(t, err, want)
	}
}

// The configuration takes the names that open, and no others.
func TestUnknownNamesInTheConfigurationAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(file, []byte("learner: {encoder: bert}\nsampler: {strategy: best}\n"), 0o600))
	_, err := runHone(t, "simulate", "--config", file, "--data", "x", "--test", "x")
	assert.ErrorContains(t, err, strings.Join(encoders.Names(), ", "))
	assert.ErrorContains(t, err, strings.Join(strategy.Names(), ", "))
}

func TestTheDefaultEncoderOpens(t *testing.T) {
	cfg := config.Default()
	opened, err := app.OpenEncoder(cfg.Learner, cfg.Learner.Encoder)
	require.NoError(t, err)
	assert.Equal(t, encoders.Default().Name(), opened.Fast.Name())
}

func TestSimulateKeepsVectorsForTheNextRun(t *testing.T) {
	if _, err := minilm.Load(); errors.Is(err, minilm.ErrNotBuiltIn) {
		t.Skip(err)
	}
	shipped, file := filepath.Join("..", "..", "data", "clinc10"), filepath.Join(t.TempDir(), "vectors")
	var data []byte
	for i := range 12 {
		data = fmt.Appendf(data, "{\"text\": \"text number %d\", \"label\": %q}\n", i, []string{"odd", "even"}[i%2])
	}
	texts := filepath.Join(t.TempDir(), "texts.jsonl")
	require.NoError(t, os.WriteFile(texts, data, 0o600))
	args := []string{
		"simulate", "--data", texts, "--test", texts, "--labels", "0,8", "--seeds", "1", "--strategy", "random",
		"--encoder", "minilm", "--json", "-", "--vectors",
	}
	first, err := runHone(t, append(args, file)...)
	require.NoError(t, err)
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Greater(t, len(kept), 12*384)
	again, err := runHone(t, append(args, file)...)
	require.NoError(t, err)
	seconds := regexp.MustCompile(`"(rank_)?seconds": .*`)
	assert.Equal(t, seconds.ReplaceAllString(first, ""), seconds.ReplaceAllString(again, ""))

	_, err = runHone(t, append(args, filepath.Join(shipped, "test.jsonl"))...)
	require.ErrorContains(t, err, "not a file of vectors; name another file or delete it")
}

// A transformer in a folder adapts while labelling is simulated, to the same thing each time.
func TestSimulateAFolderThatAdapts(t *testing.T) {
	var data []byte
	for i := range 40 {
		data = fmt.Appendf(data, "{\"text\": \"the %s number %d\", \"label\": %q}\n", []string{"card", "rate"}[i%2], i, []string{"odd", "even"}[i%2])
	}
	texts := filepath.Join(t.TempDir(), "texts.jsonl")
	require.NoError(t, os.WriteFile(texts, data, 0o600))
	run := func(more ...string) string {
		out, err := runHone(t, append([]string{
			"simulate", "--data", texts, "--labels", "8,24", "--seeds", "1", "--strategy", "random", "--json", "-",
			"--encoder", encoders.BERT + "../../encode/text/bert/testdata/mean",
		}, more...)...)
		require.NoError(t, err)
		return regexp.MustCompile(`"(rank_)?seconds": .*`).ReplaceAllString(out, "")
	}
	first := run("--adapt", "auto")
	assert.Contains(t, first, `"accuracy"`)
	assert.Equal(t, first, run(), "it is the default")
	off := run("--adapt", "off")
	assert.NotEqual(t, first, off)
	t.Setenv("HONE_LEARNER_ADAPT", "off")
	assert.Equal(t, off, run(), "it is as configured")
}
