package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func faultsOf(t *testing.T, err error) map[string]Fault {
	t.Helper()
	var fs Faults
	if !errors.As(err, &fs) {
		t.Fatalf("not Faults: %v", err)
	}
	m := map[string]Fault{}
	for _, f := range fs {
		if f.Key == "" || f.Problem == "" || f.Fix == "" {
			t.Errorf("a fault lacks its key, problem or fix: %#v", f)
		}
		if _, dup := m[f.Key]; dup {
			t.Errorf("two faults about %s:\n%v", f.Key, err)
		}
		m[f.Key] = f
	}
	return m
}

func TestAllFaultsAtOnce(t *testing.T) {
	path := write(t, t.TempDir(), `
listen: "9090"
samplr: {}
label_studio:
  timeout: 30
  api_key: hunter2
webhook:
  max_body: lots
sampler:
  queue: many
  strategy: Margins
  randomshare: 0.2
queue: 5
`)
	_, err := Load(Sources{
		Names:   known,
		File:    path,
		Environ: []string{"HONE_LABELSTUDIO_URL=http://x", "HONE_LEARNER_ENCODER=bert", "LOG_LEVEL=loud", "BASIC_AUTH_PASS=hunter3"},
	})
	got := faultsOf(t, err)
	for key, want := range map[string]struct{ value, source, says string }{
		"listen":               {"9090", path + ":2", ":9090"},
		"samplr":               {"", path + ":3", "did you mean sampler?"},
		"label_studio.timeout": {"30", path + ":5", "unit"},
		"label_studio.url":     {"", "", "LABEL_STUDIO_URL"},
		"webhook.max_body":     {"lots", path + ":8", "32MiB"},
		"sampler.queue":        {"many", path + ":10", "whole number"},
		"sampler.strategy":     {"Margins", path + ":11", "margin, least_confidence, entropy, coverage, margin_kmeans, badge, typiclust, class_balanced, random"},
		"sampler.randomshare":  {"", path + ":12", "did you mean sampler.random_share?"},
		"queue":                {"", path + ":13", "did you mean sampler.queue"},
		"HONE_LABELSTUDIO_URL": {"", "environment", "did you mean HONE_LABEL_STUDIO_URL?"},
		"learner.encoder":      {"bert", "environment variable HONE_LEARNER_ENCODER", "minilm, static"},
		"log.level":            {"loud", "environment variable LOG_LEVEL", "debug"},
		"basic_auth.user":      {"", "", "both"},
	} {
		f, ok := got[key]
		if !ok {
			t.Errorf("no fault about %s", key)
			continue
		}
		if f.Value != want.value || f.Source != want.source || !strings.Contains(f.Error(), want.says) {
			t.Errorf("%s: %#v, want %+v", key, f, want)
		}
		delete(got, key)
	}
	for _, f := range got {
		t.Errorf("unexpected fault: %v", f)
	}
	if strings.Contains(err.Error(), "hunter") {
		t.Errorf("a secret is in the error:\n%v", err)
	}
	if n := strings.Count(err.Error(), "\n"); n != 13 {
		t.Errorf("want a line for each of 13 faults and one above, got:\n%v", err)
	}
}

func TestFileFaults(t *testing.T) {
	for name, c := range map[string]struct{ text, key, says string }{
		"syntax":           {"listen: [", "config", "line 1"},
		"tab":              {"log:\n\tlevel: info\n", "config", "line 2"},
		"a list":           {"- listen\n", "config", "keys and values"},
		"a word":           {"listen", "config", "keys and values"},
		"two documents":    {"listen: :1\n---\nlisten: :2\n", "config", "document"},
		"duplicate":        {"listen: :1\nlisten: :2\n", "listen", "first in line 1"},
		"dotted":           {"sampler.queue: 5\n", "sampler.queue", "inside its section"},
		"section as value": {"sampler: margin\n", "sampler", "is a section"},
		"value as section": {"listen:\n  port: 5\n", "listen", "takes one value"},
		"list as value":    {"listen: [a]\n", "listen", "takes one value"},
		"alias":            {"listen: &a :1\ndata_dir: *a\n", "data_dir", "aliases"},
		"merge":            {"sampler:\n  <<: {queue: 4}\n", "sampler.<<", "no such key"},
		"a list as key":    {"? [a]\n: 1\n", "?", "must be a word"},
		"too large":        {"#" + strings.Repeat("x", maxFile), "config", "1 MiB"},
		"cycle":            {"sampler: &a\n  queue: *a\n", "sampler.queue", "aliases"},
		"number as key":    {"1: 2\n", "1", "no such key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(Sources{File: write(t, t.TempDir(), c.text), Names: known})
			got := faultsOf(t, err)
			if f, ok := got[c.key]; !ok || len(got) != 1 || !strings.Contains(f.Error(), c.says) {
				t.Errorf("want one fault about %q saying %q, got: %v", c.key, c.says, err)
			}
		})
	}
}

// An unreadable file must not be joined by complaints about what it would have
// held, but an unknown variable is still one.
func TestBrokenFileDoesNotMislead(t *testing.T) {
	_, err := Load(Sources{File: "nowhere.yaml", Environ: []string{"LABEL_STUDIO_API_KEY=x", "HONE_SAMPLER_QUEU=3"}})
	got := faultsOf(t, err)
	if len(got) != 2 || got["config"].Key == "" || got["HONE_SAMPLER_QUEU"].Key == "" {
		t.Errorf("got: %v", err)
	}
}

func TestValidate(t *testing.T) {
	url := func(s string) func(*Config) { return func(c *Config) { c.LabelStudio.URL = s } }
	spec := func(s string) func(*Config) { return func(c *Config) { c.Cron.Retrain = s } }
	for i, c := range []struct {
		key string // "" is valid
		set func(*Config)
	}{
		{"", func(c *Config) { c.Listen = "[::1]:0" }},
		{"listen", func(c *Config) { c.Listen = "" }},
		{"listen", func(c *Config) { c.Listen = ":http" }},
		{"listen", func(c *Config) { c.Listen = ":70000" }},
		{"listen", func(c *Config) { c.Listen = "http://localhost:9090" }},
		{"data_dir", func(c *Config) { c.DataDir = "" }},
		{"shutdown_timeout", func(c *Config) { c.ShutdownTimeout = 0 }},
		{"basic_auth.password", func(c *Config) { c.BasicAuth.User = "u" }},
		{"basic_auth.user", func(c *Config) { c.BasicAuth.Password = "p" }},
		{"basic_auth.user", func(c *Config) { c.BasicAuth = BasicAuth{"a:b", "p"} }},
		{"", url("http://localhost:8080")},
		{"", url("https://host/label-studio")},
		{"label_studio.url", url("localhost:8080")},
		{"label_studio.url", url("ftp://host")},
		{"label_studio.url", url("http://")},
		{"label_studio.url", url("http://:8080")},
		{"label_studio.url", url("http://h:8080/projects/3/data")},
		{"label_studio.url", url("http://h:8080/api")},
		{"label_studio.url", url("http://h:8080?x=1")},
		{"label_studio.url", url("http://u:hunter2@h:8080")},
		{"label_studio.url", url("http://h\x7f")},
		{"label_studio.url", func(c *Config) { c.LabelStudio.APIKey = "abc" }},
		{"label_studio.api_key", func(c *Config) { c.LabelStudio.URL, c.LabelStudio.APIKey = "http://h", "Token hunter2" }},
		{"label_studio.timeout", func(c *Config) { c.LabelStudio.Timeout = -1 }},
		{"label_studio.slow_timeout", func(c *Config) { c.LabelStudio.SlowTimeout = 0 }},
		{"label_studio.max_in_flight", func(c *Config) { c.LabelStudio.MaxInFlight = 0 }},
		{"label_studio.retries", func(c *Config) { c.LabelStudio.Retries = -1 }},
		{"label_studio.poll_interval", func(c *Config) { c.LabelStudio.PollInterval = 0 }},
		{"webhook.secret", func(c *Config) { c.Webhook.Secret = "hunter2 " }},
		{"webhook.secret", func(c *Config) { c.Webhook.Secret = "hunter2é" }},
		{"webhook.header", func(c *Config) { c.Webhook.Header = "X Secret" }},
		{"webhook.header", func(c *Config) { c.Webhook.Header = "content-Type" }},
		{"", func(c *Config) { c.Webhook.Header = "Authorization" }},
		{"webhook.max_body", func(c *Config) { c.Webhook.MaxBody = 1 }},
		{"webhook.max_predict_body", func(c *Config) { c.Webhook.MaxPredictBody = 0 }},
		{"webhook.store_timeout", func(c *Config) { c.Webhook.StoreTimeout = 0 }},
		{"learner.encoder", func(c *Config) { c.Learner.Encoder = "" }},
		{"learner.encoder", func(c *Config) { c.Learner.Encoder = "openai:" }},
		{"learner.encoder", func(c *Config) { c.Learner.Encoder = "model2vec:" }},
		{"", func(c *Config) { c.Learner.Encoder = "model2vec:./potion" }},
		{"learner.encoder", func(c *Config) { c.Learner.Encoder = "bert:" }},
		{"learner.encoder", func(c *Config) { c.Learner.Encoder = "bert" }},
		{"", func(c *Config) { c.Learner.Encoder = "bert:./bge-small" }},
		{"learner.encoder", func(c *Config) { c.Learner.Encoder = "openai:localhost:8080" }},
		{"learner.encoder", func(c *Config) { c.Learner.Encoder = "openai:http://u:hunter2@h/v1" }},
		{"", func(c *Config) { c.Learner.Encoder = "openai:https://h/v1/embeddings" }},
		{"", func(c *Config) { c.Learner.Encoder = "hashed" }},
		{"learner.openai_key", func(c *Config) { c.Learner.OpenAIKey = "Bearer hunter2" }},
		{"learner.openai_timeout", func(c *Config) { c.Learner.OpenAITimeout = 0 }},
		{"learner.encode_workers", func(c *Config) { c.Learner.EncodeWorkers = 0 }},
		{"learner.budget", func(c *Config) { c.Learner.Budget = 0 }},
		{"sampler.strategy", func(c *Config) { c.Sampler.Strategy = "uncertainty" }},
		{"sampler.queue", func(c *Config) { c.Sampler.Queue = 0 }},
		{"sampler.head", func(c *Config) { c.Sampler.Head = 31 }},
		{"sampler.head", func(c *Config) { c.Sampler.Head = 0 }},
		{"sampler.settle", func(c *Config) { c.Sampler.Settle = -1 }},
		{"sampler.random_share", func(c *Config) { c.Sampler.RandomShare = 1.01 }},
		{"sampler.random_share", func(c *Config) { c.Sampler.RandomShare = nan() }},
		{"sampler.push_rate", func(c *Config) { c.Sampler.PushRate = 0 }},
		{"sampler.push_rate", func(c *Config) { c.Sampler.PushRate = nan() }},
		{"sampler.background_writes", func(c *Config) { c.Sampler.BackgroundWrites = 0 }},
		{"sampler.bulk_above", func(c *Config) { c.Sampler.BulkAbove = 0 }},
		{"sampler.check_every", func(c *Config) { c.Sampler.CheckEvery = 0 }},
		{"", spec("off")},
		{"", spec("@weekly")},
		{"", spec("*/5 8-18 * * 1-5")},
		{"cron.retrain", spec("")},
		{"cron.retrain", spec("at three")},
		{"cron.retrain", spec("0 0 3 * * *")},
		{"cron.retrain", spec("61 3 * * *")},
		{"cron.retrain", spec("0 0 30 2 *")},
		{"cron.retrain", spec("@every 0s")},
		{"cron.retrain", spec("@every 1500ms")},
		{"cron.retrain", spec("@every -1h")},
		{"cron.retrain", spec("@every")},
		{"cron.retrain", spec("TZ=UTC")},
		{"cron.retrain", spec("CRON_TZ=UTC 0 3 * * *")},
		{"cron.timezone", func(c *Config) { c.Cron.Timezone = "Danmark" }},
		{"cron.timezone", func(c *Config) { c.Cron.Timezone = "../../etc/passwd" }},
		{"log.level", func(c *Config) { c.Log.Level = "loud" }},
		{"log.format", func(c *Config) { c.Log.Format = "xml" }},
	} {
		t.Run(fmt.Sprint(i, c.key), func(t *testing.T) {
			cfg := Default()
			c.set(&cfg)
			err := cfg.Validate(known)
			if c.key == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			got := faultsOf(t, err)
			if _, ok := got[c.key]; !ok || len(got) != 1 {
				t.Errorf("want one fault about %s, got: %v", c.key, err)
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("a secret is in the error: %v", err)
			}
		})
	}
}

func nan() float64 { var zero float64; return zero / zero }
