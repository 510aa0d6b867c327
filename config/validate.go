package config

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hone-ml/hone/internal/secret"
)

// logLevels maps what Python and Go programs call their levels to hone's names.
var logLevels = map[string]string{
	"trace": "trace", "debug": "debug", "info": "info", "warn": "warn", "error": "error",
	"warning": "warn", "critical": "error", "fatal": "error", "notset": "trace",
}

// normalise brings values that may be written in several ways into one form.
func (c *Config) normalise() {
	if l, ok := logLevels[strings.ToLower(c.Log.Level)]; ok {
		c.Log.Level = l
	}
	c.Log.Format = strings.ToLower(c.Log.Format)
	c.LabelStudio.URL = strings.TrimRight(c.LabelStudio.URL, "/")
	c.Learner.OpenAIKey = secret.Secret(strings.TrimSpace(c.Learner.OpenAIKey.Reveal()))
	c.Notify.URL = secret.Secret(strings.TrimSpace(c.Notify.URL.Reveal()))
	c.LabelStudio.APIKey = secret.Secret(strings.TrimSpace(c.LabelStudio.APIKey.Reveal()))
}

// Validate returns Faults with everything wrong in c, or nil. Names are those that are valid.
func (c Config) Validate(n Names) error { return c.validate(n).err() }

// validator collects faults about c.
type validator struct {
	c     *Config
	names Names
	fs    Faults
}

func (k *validator) reject(is bool, key, problem, fix string) {
	if is {
		k.fs = append(k.fs, Fault{Key: key, Value: byKey[key].format(k.c), Problem: problem, Fix: fix})
	}
}

func (k *validator) duration(d time.Duration, key string, low, high time.Duration) {
	k.reject(d < low || d > high, key, "out of range", fmt.Sprintf("set it between %v and %v", low, high))
}

func (k *validator) count(n int, key string, low, high int) {
	k.reject(n < low || n > high, key, "out of range", fmt.Sprintf("set it between %d and %d", low, high))
}

func (k *validator) size(n Size, key string) {
	k.reject(n < 64<<10 || n > 4<<30, key, "out of range", "set it between 64KiB and 4GiB")
}

func (k *validator) oneOf(s, key string, names []string) {
	k.reject(names != nil && !slices.Contains(names, s), key, "not a name hone knows", "use one of "+strings.Join(names, ", "))
}

func (c Config) validate(n Names) Faults {
	k := &validator{c: &c, names: n}
	k.server()
	k.labelStudio()
	k.webhook()

	k.encoder()
	k.duration(c.Learner.Budget, "learner.budget", time.Millisecond, 10*time.Second)

	k.sampler()
	k.cron()
	k.notify()
	k.oneOf(c.Log.Level, "log.level", []string{"trace", "debug", "info", "warn", "error"})
	k.oneOf(c.Log.Format, "log.format", []string{"auto", "text", "json"})
	return k.fs
}

func (k *validator) server() {
	c := k.c
	problem := listenProblem(c.Listen)
	k.reject(problem != "", "listen", problem, `write ":9090" for every interface or "127.0.0.1:9090" for this machine only`)
	k.reject(c.DataDir == "", "data_dir", "is empty", "name a directory that hone may write to")
	k.duration(c.ShutdownTimeout, "shutdown_timeout", time.Second, 10*time.Minute)

	if c.AdminListen != "" {
		problem = listenProblem(c.AdminListen)
		k.reject(problem != "", "admin_listen", problem, `write an address of its own such as "127.0.0.1:9091"`)
		k.reject(problem == "" && c.AdminListen == c.Listen && !strings.HasSuffix(c.Listen, ":0"), "admin_listen", "is the same as listen",
			"choose another port, or leave it empty to serve everything on one")
	}
	k.credential(c.Secret, "secret")
	k.credential(c.AdminToken, "admin_token")
	k.credential(c.ViewToken, "view_token")
	k.reject(c.ViewToken != "" && c.ViewToken == c.AdminToken, "view_token", "is the same as admin_token",
		"choose another: what only reads must not change anything")
	k.reject(c.TLS.Cert != "" && c.TLS.Key == "", "tls.key", "is empty while tls.cert is set", "set both, or neither")
	k.reject(c.TLS.Cert == "" && c.TLS.Key != "", "tls.cert", "is empty while tls.key is set", "set both, or neither")
	for _, h := range c.AllowedHosts.Values() {
		k.reject(strings.ContainsAny(h, "/@ ") || strings.Contains(h, "://"), "allowed_hosts", "holds something that is not a host name",
			`write names without scheme and path, such as "hone.example"`)
	}
	_, err := c.TrustedProxies.Prefixes()
	k.reject(err != nil, "trusted_proxies", "holds something that is neither an address nor a network",
		`write addresses and networks, such as "127.0.0.1, 10.0.0.0/8"`)

	k.reject(c.BasicAuth.User != "" && c.BasicAuth.Password == "", "basic_auth.password",
		"is empty while basic_auth.user is set", "set both, or neither")
	k.reject(c.BasicAuth.User == "" && c.BasicAuth.Password != "", "basic_auth.user",
		"is empty while basic_auth.password is set", "set both, or neither")
	k.reject(strings.Contains(c.BasicAuth.User, ":"), "basic_auth.user",
		"holds a colon, which HTTP Basic authentication cannot carry", "choose a name without one")
}

// credential checks a secret of hone's own: it travels in headers and addresses.
func (k *validator) credential(s secret.Secret, key string) {
	v := s.Reveal()
	k.reject(strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }), key,
		"holds a space or a character that a header cannot carry", "use letters, digits and punctuation")
}

func listenProblem(listen string) string {
	if strings.Contains(listen, "://") {
		return "is a URL, not an address"
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "is not host:port"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "has no port between 0 and 65535"
	}
	return ""
}

// Pages of Label Studio's UI; an address copied from the browser ends in one.
var uiPath = regexp.MustCompile(`/(projects|api|user|organization)(/|$)`)

func (k *validator) labelStudio() {
	c := k.c.LabelStudio
	if c.URL != "" {
		problem, fix := urlProblem(c.URL)
		if strings.Contains(c.URL, "@") {
			// A password in the address must not be printed.
			k.fs = append(k.fs, Fault{
				Key: "label_studio.url", Problem: "holds an @, as if with a user name and password",
				Fix: "give the plain address, and the token as label_studio.api_key",
			})
		} else {
			k.reject(problem != "", "label_studio.url", problem, fix)
		}
	}
	key := c.APIKey.Reveal()
	k.reject(c.URL == "" && key != "", "label_studio.url", "is empty while label_studio.api_key is set",
		"set LABEL_STUDIO_URL to the server the token is for: hone sends it nowhere else")
	k.reject(strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }), "label_studio.api_key",
		"holds a space or a character no token has", `give the bare token, without "Token" or "Bearer" before it`)
	k.duration(c.Timeout, "label_studio.timeout", 100*time.Millisecond, 10*time.Minute)
	k.duration(c.SlowTimeout, "label_studio.slow_timeout", time.Second, 24*time.Hour)
	k.count(c.MaxInFlight, "label_studio.max_in_flight", 1, 64)
	k.count(c.Retries, "label_studio.retries", 0, 20)
	k.duration(c.PollInterval, "label_studio.poll_interval", 100*time.Millisecond, time.Hour)
}

func urlProblem(s string) (problem, fix string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https"):
		return "is not an http or https address", `write it whole, such as "http://localhost:8080"`
	case u.Hostname() == "":
		return "names no host", `write it whole, such as "http://localhost:8080"`
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "has a query or a fragment", "give the address alone"
	case uiPath.MatchString(u.Path):
		return "is a page inside Label Studio", "give the address before /" + uiPath.FindStringSubmatch(u.Path)[1]
	}
	return "", ""
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Headers that HTTP or Label Studio sets by itself.
var takenHeaders = []string{
	"host", "content-type", "content-length", "connection", "transfer-encoding",
	"user-agent", "accept", "accept-encoding",
}

func (k *validator) webhook() {
	c := k.c.Webhook
	value := c.Secret.Reveal()
	k.reject(strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) || strings.TrimSpace(value) != value,
		"webhook.secret", "cannot be sent as a header",
		"use letters, digits and punctuation, without spaces around them")
	k.reject(!headerName.MatchString(c.Header), "webhook.header", "not a header name Label Studio accepts",
		"use letters, digits, - and _, such as X-Hone-Secret")
	k.reject(slices.Contains(takenHeaders, strings.ToLower(c.Header)), "webhook.header",
		"is a header with a meaning of its own", "choose another, such as X-Hone-Secret")
	k.size(c.MaxBody, "webhook.max_body")
	k.size(c.MaxPredictBody, "webhook.max_predict_body")
	// Label Studio gives up after one second.
	k.duration(c.StoreTimeout, "webhook.store_timeout", 10*time.Millisecond, time.Minute)
}

func (k *validator) encoder() {
	c := k.c.Learner
	switch kind, address, ok := strings.Cut(c.Encoder, ":"); {
	case kind == "openai" && ok && strings.Contains(address, "@"):
		// A password in the address must not be printed.
		k.fs = append(k.fs, Fault{
			Key: "learner.encoder", Problem: "holds an @, as if with a user name and password",
			Fix: "give the plain address, and the key as learner.openai_key",
		})
	case kind == "openai" && ok:
		problem, fix := urlProblem(address)
		k.reject(problem != "", "learner.encoder", problem, strings.Replace(fix, `"http://localhost:8080"`, `"openai:http://localhost:8080/v1"`, 1))
	case (kind == "model2vec" || kind == "bert") && ok:
		k.reject(address == "", "learner.encoder", "names no folder", fmt.Sprintf(`write "%s:DIR" with the folder's name`, kind))
	default:
		k.oneOf(c.Encoder, "learner.encoder", k.names.Encoders)
	}
	k.reject(strings.ContainsFunc(c.OpenAIKey.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }), "learner.openai_key",
		"holds a space or a character no key has", `give the bare key, without "Bearer" before it`)
	k.duration(c.OpenAITimeout, "learner.openai_timeout", 100*time.Millisecond, 10*time.Minute)
	k.oneOf(c.Adapt, "learner.adapt", []string{"auto", "off"})
	k.count(c.EncodeWorkers, "learner.encode_workers", 1, 64)
}

func (k *validator) sampler() {
	c := k.c.Sampler
	k.oneOf(c.Strategy, "sampler.strategy", k.names.Strategies)
	k.count(c.Queue, "sampler.queue", 1, 1000)
	k.count(c.Head, "sampler.head", 1, 1000)
	k.reject(c.Head > c.Queue && c.Queue >= 1, "sampler.head", "is more than the whole queue",
		fmt.Sprintf("set it between 1 and sampler.queue, %d", c.Queue))
	k.duration(c.Settle, "sampler.settle", 0, time.Hour)
	k.reject(!(c.RandomShare >= 0 && c.RandomShare <= 1), "sampler.random_share", "out of range", "set it between 0 and 1")
	k.reject(!(c.PushRate > 0 && c.PushRate <= 1000) || math.IsNaN(c.PushRate), "sampler.push_rate", "out of range",
		"set it above 0 and up to 1000 predictions a second")
	k.count(c.BackgroundWrites, "sampler.background_writes", 1, 1_000_000)
	k.count(c.BulkAbove, "sampler.bulk_above", 1, 1_000_000)
	k.duration(c.CheckEvery, "sampler.check_every", time.Second, 24*time.Hour)
}

// notify checks an address that must not be printed.
func (k *validator) notify() {
	at := k.c.Notify.URL.Reveal()
	if at == "" {
		return
	}
	u, err := url.Parse(at)
	k.reject(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "", "notify.url", "is not an http or https address",
		"copy the whole address of the chat's incoming webhook")
}

func (k *validator) cron() {
	c := k.c.Cron
	for _, job := range []struct{ key, spec string }{
		{"cron.reconcile", c.Reconcile},
		{"cron.full_reconcile", c.FullReconcile},
		{"cron.retrain", c.Retrain},
	} {
		if _, _, err := c.Schedule(job.spec); err != nil {
			k.reject(true, job.key, "not a schedule: "+err.Error(),
				`write "@every 1m", five fields such as "0 3 * * *", or "off"`)
		}
	}
	_, err := c.Location()
	k.reject(err != nil, "cron.timezone", "not a time zone", `use an IANA name such as "Europe/Copenhagen", "UTC" or "Local"`)
}
