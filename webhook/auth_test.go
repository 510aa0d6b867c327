package webhook

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
)

const (
	rightBasic = "Basic bHM6cHc="         // ls:pw
	wrongBasic = "Basic bHM6d3Jvbmc="     // ls:wrong
	honeBasic  = "Basic aG9uZTpzM2NyZXQ=" // hone:s3cret
	password   = "s3cret"
)

// everywhere is the default address, which others reach.
var everywhere = &net.TCPAddr{IP: net.IPv4zero, Port: 9090}

func keysOf(t testing.TB, o access.Options) *access.Keys {
	t.Helper()
	o.Dir = t.TempDir()
	if o.HookHeader == "" {
		o.HookHeader = "X-Hone-Secret"
	}
	k, err := access.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func guarded(o access.Options) func(testing.TB, *Options) {
	return func(t testing.TB, s *Options) {
		s.Gate = access.NewGate(keysOf(t, o), access.GateOptions{Addr: everywhere})
	}
}

var (
	withSecret = guarded(access.Options{Secret: password})
	withBasic  = guarded(access.Options{Basic: access.Pair{User: "ls", Password: "pw"}})
)

// set turns a change of options that needs no test into one.
func set(f func(*Options)) func(testing.TB, *Options) {
	return func(_ testing.TB, o *Options) { f(o) }
}

func TestWhoMayCallWebhook(t *testing.T) {
	event, train := "webhook-annotation-created-choices", "backend-start-training-choices"
	header := func(o access.Options, name string) func(testing.TB, *Options) {
		o.HookHeader = name
		return guarded(o)
	}
	for _, tc := range []struct {
		name   string
		gate   func(testing.TB, *Options)
		body   string
		header []string
		status int
	}{
		{"open", set(func(*Options) {}), event, nil, 200},
		{"right secret", withSecret, event, []string{"X-Hone-Secret", password}, 200},
		{"no secret", withSecret, event, nil, 401},
		{"wrong secret", withSecret, event, []string{"X-Hone-Secret", "s3cre"}, 401},
		{"empty secret", withSecret, event, []string{"X-Hone-Secret", ""}, 401},
		{"secret in another case", withSecret, event, []string{"X-Hone-Secret", "S3cret"}, 401},
		{"other header", header(access.Options{Secret: password}, "X-Mine"), event, []string{"X-Hone-Secret", password}, 401},
		{"named header", header(access.Options{Secret: password}, "X-Mine"), event, []string{"X-Mine", password}, 200},
		{"webhook.secret", guarded(access.Options{HookSecret: password}), event, []string{"X-Hone-Secret", password}, 200},
		{"Basic auth instead", withSecret, event, []string{"Authorization", honeBasic}, 200},
		{"wrong Basic auth instead", withSecret, event, []string{"Authorization", wrongBasic}, 401},
		{"Basic auth of nothing", withSecret, event, []string{"Authorization", "Basic Og=="}, 401},
		{"events without what BASIC_AUTH asks for", withBasic, event, nil, 401},
		{"events with what BASIC_AUTH asks for", withBasic, event, []string{"Authorization", rightBasic}, 200},
		{"training without a secret", withSecret, train, nil, 401},
		{"training with Basic auth", withBasic, train, []string{"Authorization", rightBasic}, 200},
		{"training with wrong Basic auth", withBasic, train, []string{"Authorization", wrongBasic}, 401},
		{"training with the secret", withSecret, train, []string{"X-Hone-Secret", password}, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, tc.gate)
			got := call(t, http.MethodPost, r.serve(t)+"/webhook", recorded(t, tc.body), tc.header...)
			if got.status != tc.status {
				t.Errorf("answer: %s; want %d", got, tc.status)
			}
			if stored := len(r.memory.lines(t)) > 0; stored != (tc.status == 200) {
				t.Errorf("stored: %q", r.memory.lines(t))
			}
			if tc.status == 401 {
				if n := r.count(t, "hone_webhook_refused_total", "reason", refusedAuth); n != 1 {
					t.Errorf("%v refusals counted", n)
				}
				if s := r.Stats(); s.Unsigned+s.RefusedCalls != 1 {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

func TestUnsignedBodiesAreNotReadAtLength(t *testing.T) {
	for name, unregistered := range map[string]bool{"all registered": false, "some not": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withSecret, set(func(o *Options) { o.Unregistered = func(event.ProjectID) bool { return unregistered } }))
			long := `{"action":"` + strings.Repeat("A", 2<<20) + `"}`
			if got := call(t, http.MethodPost, r.serve(t)+"/webhook", long); got.status != http.StatusUnauthorized {
				t.Errorf("answer: %s", got)
			}
		})
	}
}

// A stranger leads to nothing at all: no event, no question to Label Studio.
func TestUnsignedEventsLeadToNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, withSecret)
		for range 50 {
			if w := r.direct(http.MethodPost, "/webhook", recorded(t, "webhook-annotation-created-choices")); w.Code != http.StatusUnauthorized {
				t.Fatalf("answer: %d %s", w.Code, w.Body)
			}
		}
		time.Sleep(3 * reconcileSpacing)
		synctest.Wait()
		if got := r.memory.lines(t); len(got) > 0 {
			t.Errorf("stored: %q", got)
		}
		if s := r.Stats(); s.Unsigned != 50 {
			t.Errorf("%+v", s)
		}
	})
}

// Where hone's secret is not in Label Studio's registration yet, a webhook without
// it is a reason to ask Label Studio, and nothing more.
func TestUnsignedEventsOfAnUnregisteredProjectAreAReasonToAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, withSecret, set(func(o *Options) {
			o.Unregistered = func(p event.ProjectID) bool { return p == 3 || p == 0 || p == 99 }
		}))
		body := recorded(t, "webhook-annotation-created-choices")
		other := strings.ReplaceAll(strings.ReplaceAll(body, `"project": 3`, `"project": 99`), `"project": {"id": 3`, `"project": {"id": 99`)
		if w := r.direct(http.MethodPost, "/webhook", other); w.Code != http.StatusUnauthorized {
			t.Fatalf("a project hone does not know: %d %s", w.Code, w.Body)
		}
		if w := r.direct(http.MethodPost, "/webhook", "not JSON"); w.Code != http.StatusUnauthorized {
			t.Fatalf("what is no webhook: %d %s", w.Code, w.Body)
		}
		for range 50 {
			if w := r.direct(http.MethodPost, "/webhook", body); w.Code != http.StatusOK {
				t.Fatalf("answer: %d %s", w.Code, w.Body)
			}
			synctest.Wait() // the first one is paid for at once
		}
		if got := r.memory.lines(t); !slices.Equal(got, []string{"reconcile 3 full"}) {
			t.Fatalf("at once: %q", got)
		}
		time.Sleep(3 * reconcileSpacing) // what came after the first one is found by a second
		synctest.Wait()
		if got := r.memory.lines(t); !slices.Equal(got, []string{"reconcile 3 full", "reconcile 3 full"}) {
			t.Errorf("stored: %q", got)
		}
	})
}

// While registrations are given the secret for the first time, Label Studio's
// calls are answered, and nothing that they say is believed.
func TestCallsWhileRegistrationsAreUpgraded(t *testing.T) {
	upgrading := true
	r := newRig(t, func(t testing.TB, o *Options) {
		o.Gate = access.NewGate(keysOf(t, access.Options{}), access.GateOptions{Addr: everywhere, Upgrading: func() bool { return upgrading }})
		o.Unregistered = func(event.ProjectID) bool { return upgrading }
	})
	url := r.serve(t)
	for _, when := range []struct {
		upgrading     bool
		known, others int
	}{{true, 200, 401}, {false, 401, 401}} {
		upgrading = when.upgrading
		for _, tc := range []struct {
			path, body string
			status     int
		}{
			{"/setup", recorded(t, "backend-setup-choices"), when.known},
			{"/setup", strings.ReplaceAll(recorded(t, "backend-setup-choices"), `"3.`, `"99.`), when.others},
			{"/predict", recorded(t, "backend-predict-choices"), when.known},
			{"/webhook", recorded(t, "webhook-annotation-created-choices"), when.known},
			{"/train", recorded(t, "backend-predict-choices"), 401}, // it would change something
		} {
			got := call(t, http.MethodPost, url+tc.path, tc.body)
			if got.status != tc.status {
				t.Errorf("upgrading %v, %s: %s; want %d", when.upgrading, tc.path, got, tc.status)
			}
		}
	}
	if len(r.hone.setups) > 0 {
		t.Errorf("a call without the secret set up %+v", r.hone.setups)
	}
	for _, l := range r.memory.lines(t) {
		if l != "reconcile 3 full" {
			t.Errorf("stored: %q", l)
		}
	}
}

func TestWhoMayCallTheBackend(t *testing.T) {
	r := newRig(t, withBasic)
	url := r.serve(t)
	heartex := []string{"User-Agent", "heartex/1.23.2"}
	for _, tc := range []struct {
		method, path string
		header       []string
		status       int
	}{
		{"GET", "/", nil, 200},
		{"GET", "/health", nil, 200},
		{"HEAD", "/health", nil, 200},
		{"GET", "/health", append([]string{"Authorization", rightBasic}, heartex...), 200},
		{"GET", "/health", heartex, 401},
		{"GET", "/health", append([]string{"Authorization", wrongBasic}, heartex...), 401},
		{"GET", "/versions", nil, 401},
		{"GET", "/versions/", nil, 401},
		{"GET", "/versions", []string{"Authorization", rightBasic}, 200},
		{"POST", "/setup", nil, 401},
		{"POST", "/setup", []string{"Authorization", wrongBasic}, 401},
		{"POST", "/setup", []string{"Authorization", "Basic !!!"}, 401},
		{"POST", "/setup", []string{"Authorization", rightBasic}, 200},
		{"POST", "/predict", nil, 401},
		{"POST", "/predict/", nil, 401},
		{"POST", "/predict", []string{"Authorization", rightBasic}, 200},
		{"POST", "/train", nil, 401},
		{"POST", "/train", []string{"Authorization", rightBasic}, 200},
		// The header opens only the webhook.
		{"POST", "/train", []string{"X-Hone-Secret", "pw"}, 401},
	} {
		body := ""
		if tc.method == "POST" {
			body = recorded(t, "backend-"+map[string]string{"setup": "setup", "predict": "predict", "train": "predict"}[strings.Trim(tc.path, "/")]+"-choices")
		}
		got := call(t, tc.method, url+tc.path, body, tc.header...)
		if got.status != tc.status {
			t.Errorf("%s %s %v: %s; want %d", tc.method, tc.path, tc.header, got, tc.status)
		}
		if challenge := got.header.Get("WWW-Authenticate"); (tc.status == 401) != (challenge != "") {
			t.Errorf("%s %s %v: WWW-Authenticate %q", tc.method, tc.path, tc.header, challenge)
		}
		if tc.status == 401 && !strings.Contains(got.line, "hone secret") {
			t.Errorf("%s %s: the status line does not say what to do: %s", tc.method, tc.path, got.line)
		}
	}
	if len(r.hone.setups) != 1 {
		t.Errorf("%d setups, want 1", len(r.hone.setups))
	}
}

func TestHealthSignsAChallengeAndNothingElse(t *testing.T) {
	id := keysOf(t, access.Options{}).Identity()
	r := newRig(t, withSecret, set(func(o *Options) { o.Identity = id }))
	url := r.serve(t)
	nonce := access.NewChallenge()
	if got := call(t, http.MethodGet, url+"/health", "", access.ChallengeHeader, nonce); !strings.Contains(got.body, id.Sign(nonce)) {
		t.Errorf("no answer to the challenge: %s", got)
	}
	for _, other := range []string{"", "x", nonce + "00", strings.Repeat("z", 32)} {
		if got := call(t, http.MethodGet, url+"/health", "", access.ChallengeHeader, other); strings.Contains(got.body, "challenge") {
			t.Errorf("signed %q: %s", other, got)
		}
	}
}

// Only a proxy that is trusted says under which address hone was called.
func TestForwardedAddressIsBelievedOfTrustedProxiesOnly(t *testing.T) {
	for name, tc := range map[string]struct {
		trusted []string
		want    string
	}{
		"nobody":    {nil, "http://"},
		"the proxy": {[]string{"127.0.0.0/8"}, "https://hone.example"},
		"another":   {[]string{"192.0.2.1/32"}, "http://"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, set(func(o *Options) { o.TrustedProxies = prefixesOf(tc.trusted...) }))
			call(t, http.MethodPost, r.serve(t)+"/setup", recorded(t, "backend-setup-choices"),
				"X-Forwarded-Proto", "https", "X-Forwarded-Host", "hone.example")
			if len(r.hone.setups) != 1 {
				t.Fatalf("%d setups", len(r.hone.setups))
			}
			got := r.hone.setups[0]
			if !strings.HasPrefix(got.BackendURL, tc.want) {
				t.Errorf("called at %s, want %s", got.BackendURL, tc.want)
			}
			if got.Local {
				t.Error("a forwarded call is taken for one of this machine")
			}
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := New(Options{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Publisher", "Predictor", "Projects", "Adopter", "Gate"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

// A backend added with the wrong password fails in Label Studio; hone's operator
// should hear of it too, but not once for every call.
func TestARefusedCallerIsLoggedOnceAMinute(t *testing.T) {
	logger, said := logtest.NewNullLogger()
	r := newRig(t, withBasic, set(func(o *Options) { o.Logger = logrus.NewEntry(logger) }))
	url := r.serve(t)
	for range 3 {
		if got := call(t, http.MethodPost, url+"/setup", recorded(t, "backend-setup-choices"), "Authorization", wrongBasic); got.status != 401 {
			t.Fatalf("answer: %s", got)
		}
	}
	if n := len(said.AllEntries()); n != 1 {
		t.Fatalf("%d lines were logged, want one", n)
	}
	line, err := said.LastEntry().String()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"level=warning", "wrong user or password", "Settings > Model", "path=/setup"} {
		if !strings.Contains(line, want) {
			t.Errorf("%q does not say %q", line, want)
		}
	}
	if strings.Contains(line, "wrong\"") || strings.Contains(line, wrongBasic) {
		t.Errorf("the password is in %q", line)
	}
}
