package config

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"pgregory.net/rapid"
)

func write(t interface {
	Helper()
	Fatal(...any)
}, dir, text string,
) string {
	t.Helper()
	path := filepath.Join(dir, "hone.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func flags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	fs := pflag.NewFlagSet("hone", pflag.ContinueOnError)
	fs.String("listen", "", "")
	fs.String("data-dir", "", "")
	fs.Bool("debug", false, "")
	fs.String("config", "", "")
	fs.Int64("project", 0, "")
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestNothingSetIsTheDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	got, err := Load(Sources{Flags: flags(t, "--project", "3")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Error(diff)
	}
	if err := Default().Validate(known); err != nil {
		t.Errorf("the defaults are not valid: %v", err)
	}
}

// Every key is settable at every layer, and the layers beat each other in the
// promised order whatever subset of them sets a key.
func TestLayers(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		file, env, flag, common := rapid.Bool().Draw(t, "file"), rapid.Bool().Draw(t, "env"),
			rapid.Bool().Draw(t, "flag"), rapid.Bool().Draw(t, "common")
		s := Sources{File: write(t, dir, "")}
		want := Default().Listen
		if file {
			s.File, want = write(t, dir, "listen: 127.0.0.1:1"), "127.0.0.1:1"
		}
		if common {
			s.Environ, want = append(s.Environ, "PORT=2"), ":2"
		}
		if env {
			s.Environ, want = append(s.Environ, "HONE_LISTEN=:3"), ":3"
		}
		if rapid.Bool().Draw(t, "reversed") {
			slices.Reverse(s.Environ)
		}
		if flag {
			s.Flags = pflag.NewFlagSet("", pflag.ContinueOnError)
			s.Flags.String("listen", "", "")
			if err := s.Flags.Parse([]string{"--listen", ":4"}); err != nil {
				t.Fatal(err)
			}
			want = ":4"
		}
		got, err := Load(s)
		if err != nil {
			t.Fatal(err)
		}
		if got.Listen != want {
			t.Fatalf("listen %q, want %q", got.Listen, want)
		}
	})
}

// other has for every key a value that is valid and not the default.
var other = map[string]string{
	"listen": "127.0.0.1:7", "data_dir": "/tmp/x", "shutdown_timeout": "7s",
	"secret": "0x1F", "admin_token": "0b1", "view_token": "1_000", "admin_listen": "127.0.0.1:8", "insecure": "yes",
	"allowed_hosts": "hone.example, other", "trusted_proxies": "127.0.0.1, 10.0.0.0/8",
	"tls.cert": "/tmp/c.pem", "tls.key": "/tmp/k.pem", "tls.ca": "/tmp/ca.pem",
	"basic_auth.user": "u", "basic_auth.password": " 0123 ",
	"label_studio.url": "https://ls.example/prefix", "label_studio.api_key": "0011",
	"label_studio.timeout": "7s", "label_studio.slow_timeout": "7m", "label_studio.max_in_flight": "7", "label_studio.retries": "0", "label_studio.poll_interval": "7s",
	"webhook.secret": "1e3", "webhook.header": "X-Other", "webhook.max_body": "7MiB",
	"webhook.max_predict_body": "70MB", "webhook.store_timeout": "70ms",
	"learner.encoder": "openai:http://localhost:8080/v1", "learner.openai_model": "m", "learner.openai_key": "0012",
	"learner.openai_timeout": "7s", "learner.adapt": "off", "learner.encode_workers": "7", "learner.budget": "7ms",
	"sampler.strategy": "entropy", "sampler.queue": "70", "sampler.head": "7", "sampler.settle": "0s",
	"sampler.random_share": "0.7", "sampler.push_rate": "0.7", "sampler.background_writes": "7", "sampler.bulk_above": "7", "sampler.check_every": "7s",
	"sampler.manage_model_version": "no", "sampler.manage_sampling": "false",
	"cron.reconcile": "@every 7s", "cron.full_reconcile": "off", "cron.retrain": "@daily", "cron.timezone": "Europe/Copenhagen",
	"notify.url": "https://chat.example/hooks/T0/B0?sig=1",
	"log.level":  "debug", "log.format": "json",
}

func TestEveryKeyFromFileAndEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	var environ []string
	sectionText := map[string]string{}
	var file strings.Builder
	for _, f := range configFields {
		v, ok := other[f.key]
		if !ok {
			t.Fatalf("the test has no value for %s", f.key)
		}
		environ = append(environ, f.env+"="+v)
		section, leaf, nested := strings.Cut(f.key, ".")
		if !nested {
			file.WriteString(section + ": '" + v + "'\n")
			continue
		}
		sectionText[section] += "  " + leaf + ": '" + v + "'\n"
	}
	for _, s := range slices.Sorted(maps.Keys(sectionText)) {
		file.WriteString(s + ":\n" + sectionText[s])
	}
	fromEnv, err := Load(Sources{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	fromFile, err := Load(Sources{File: write(t, t.TempDir(), file.String())})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromEnv, fromFile); diff != "" {
		t.Errorf("file and environment differ:\n%s", diff)
	}
	def := Default()
	for _, f := range configFields {
		if !f.secret() && f.format(&fromEnv) == f.format(&def) {
			t.Errorf("%s kept its default", f.key)
		}
	}
	if got := fromFile.BasicAuth.Password.Reveal(); got != " 0123 " {
		t.Errorf("password %q", got)
	}
	if got := fromFile.LabelStudio.APIKey.Reveal(); got != "0011" {
		t.Errorf("api key %q", got)
	}
	if fromFile.Webhook.MaxPredictBody != 70_000_000 || fromFile.Sampler.Settle != 0 {
		t.Errorf("size %v, settle %v", fromFile.Webhook.MaxPredictBody, fromFile.Sampler.Settle)
	}
	if len(byEnv) != len(configFields) {
		t.Error("two keys share one variable")
	}
}

// YAML would make octal, a float, a boolean or nothing of these.
func TestScalarsKeepTheirText(t *testing.T) {
	path := write(t, t.TempDir(), "basic_auth:\n  user: yes\n  password: 0123\nlabel_studio:\n  url: http://h\n  api_key: 1e10\nwebhook:\n  secret: 0x1F\n")
	c, err := Load(Sources{File: path})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.BasicAuth.User, c.BasicAuth.Password.Reveal(), c.LabelStudio.APIKey.Reveal(), c.Webhook.Secret.Reveal()}
	if diff := cmp.Diff([]string{"yes", "0123", "1e10", "0x1F"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsLeftOutOrEmptyKeepsItsDefault(t *testing.T) {
	for name, text := range map[string]string{
		"empty":            "",
		"only comments":    "# nothing\n",
		"null":             "~\n",
		"empty section":    "webhook:\nsampler:\n  queue:\n  head: ~\n",
		"windows newlines": "# x\r\nlog:\r\n  level: info\r\n",
		"byte order mark":  "\ufefflog:\n  level: info\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Load(Sources{
				File:    write(t, t.TempDir(), text),
				Environ: []string{"LABEL_STUDIO_API_KEY=", "HONE_SAMPLER_QUEUE=", "PORT= "},
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Default(), c); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCommonEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := Load(Sources{Environ: []string{
		"LABEL_STUDIO_URL=http://ls:8080/\n", "LABEL_STUDIO_API_KEY=abc\n",
		"BASIC_AUTH_USER=u", "BASIC_AUTH_PASS=p", "LOG_LEVEL=WARNING", "PORT=9191",
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.LabelStudio.URL, want.LabelStudio.APIKey = "http://ls:8080", "abc"
	want.BasicAuth = BasicAuth{User: "u", Password: "p"}
	want.Log.Level, want.Listen = "warn", ":9191"
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

func TestForeignVariablesAreNobodysFault(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := Load(Sources{Environ: []string{
		"HONE_SERVICE_HOST=10.0.0.7", "HONE_SERVICE_PORT=9090", "HONE_SERVICE_PORT_HTTP=9090",
		"HONE_PORT=tcp://10.0.0.7:9090", "HONE_PORT_9090_TCP=tcp://10.0.0.7:9090", "HONE_PORT_9090_TCP_ADDR=10.0.0.7",
		"HONE_STAGING_SERVICE_HOST=10.0.0.8", "PORT=tcp://10.0.0.9:80",
		"HONE_LS_VENV=/x", "HONE_LS_URL=http://127.0.0.1:1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), c); diff != "" {
		t.Error(diff)
	}
}

func TestFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := Load(Sources{Flags: flags(t, "--listen", "127.0.0.1:0", "--data-dir", "d", "--debug"), Environ: []string{"LOG_LEVEL=error"}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:0" || c.DataDir != "d" || c.Log.Level != "debug" {
		t.Errorf("%+v", c)
	}
	c, err = Load(Sources{Flags: flags(t, "--debug=false"), Environ: []string{"LOG_LEVEL=error"}})
	if err != nil || c.Log.Level != "error" {
		t.Errorf("--debug=false: level %q, %v", c.Log.Level, err)
	}
}

func TestWhichFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	missing := filepath.Join(dir, "missing.yaml")
	for _, s := range []Sources{{File: missing}, {Environ: []string{"HONE_CONFIG=" + missing}}} {
		_, err := Load(s)
		var f Fault
		if !errors.As(err, &f) || f.Key != "config" || f.Value != missing || !strings.Contains(f.Problem, "no such file") {
			t.Errorf("a named file that is missing: %v", err)
		}
	}
	if _, err := Load(Sources{File: dir}); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a directory: %v", err)
	}
	if err := os.WriteFile(DefaultFile, []byte("learner: {budget: 5ms}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(Sources{}); err != nil || c.Learner.Budget != 5*time.Millisecond {
		t.Errorf("the default file was not read: %v, %v", c.Learner.Budget, err)
	}
	named := filepath.Join(dir, "named.yaml")
	if err := os.WriteFile(named, []byte("learner: {budget: 6ms}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(Sources{Environ: []string{"HONE_CONFIG=" + named}}); err != nil || c.Learner.Budget != 6*time.Millisecond {
		t.Errorf("HONE_CONFIG was not read: %v, %v", c.Learner.Budget, err)
	}
}
