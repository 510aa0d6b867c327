package connect

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	topics     = `<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="A"/><Choice value="B"/></Choices></View>`
	header     = "X-Hone-Secret"
	hookSecret = "a-webhook-secret"
	patience   = 2 * time.Minute
)

// memory is a Vault.
type memory struct {
	mu   sync.Mutex
	kept Credential
}

func (m *memory) Credential(context.Context) (Credential, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept, nil
}

func (m *memory) SetCredential(_ context.Context, c Credential) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = c
	return nil
}

// rig is a Label Studio with one project, and a hone of which only the
// connection is real.
type rig struct {
	*Link
	t       *testing.T
	ls      *lstest.Server
	studio  *labelstudio.Client
	project event.ProjectID
	vault   *memory
	log     *lockedBuffer

	hone *httptest.Server
	mu   sync.Mutex
	// setupStatus, when not 0, is what hone answers to /setup.
	setupStatus int
	// open lets calls in without the secret, as on a loopback address.
	open bool
	// unreachable breaks off Label Studio's calls.
	unreachable bool
	live        string
	// refused counts the calls that were not let in.
	refused atomic.Uint64
	keys    *access.Keys
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newRig(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, ls: lstest.New(), vault: &memory{}, live: "hone-1", log: &lockedBuffer{}}
	t.Cleanup(r.ls.Close)
	quick := labelstudio.Options{RetryWait: time.Millisecond, MaxRetryWait: time.Millisecond, Timeout: 5 * time.Second}
	var err error
	o := quick
	o.URL, o.Token = r.ls.URL, lstest.Token
	r.studio, err = labelstudio.NewClient(o)
	require.NoError(t, err)
	t.Cleanup(r.studio.Close)
	p, err := r.studio.CreateProject(t.Context(), "topics", topics)
	require.NoError(t, err)
	r.project = p.ID

	r.hone = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.hone.Close)

	logger := logrus.New()
	logger.SetOutput(r.log)
	logger.SetLevel(logrus.DebugLevel)
	r.open = true
	r.keys, err = access.Open(access.Options{Dir: t.TempDir(), Secret: hookSecret, HookHeader: header})
	require.NoError(t, err)
	opts := Options{
		URL: r.ls.URL, Token: lstest.Token, Client: quick, Keys: r.keys, Port: portOf(t, r.hone.URL), ManageSampling: true, Vault: r.vault,
		Refused: func() Refused { return Refused{Calls: r.refused.Load()} },
		Live: func(event.ProjectID) string {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.live
		},
		Learned: func(config string) ([]string, error) {
			if !strings.Contains(config, "<Choices") {
				return nil, errors.New("the label config has nothing hone can learn")
			}
			return []string{"c"}, nil
		},
		Known:  func(context.Context) ([]event.ProjectID, error) { return []event.ProjectID{r.project}, nil },
		Logger: logrus.NewEntry(logger),
	}
	if change != nil {
		change(&opts)
	}
	r.Link, err = New(t.Context(), opts)
	require.NoError(t, err)
	r.idsAgain = time.Millisecond
	t.Cleanup(func() { require.NoError(t, r.Stop(context.Background())) })
	return r
}

// serve is hone's ML-backend protocol, as far as Label Studio needs it here.
func (r *rig) serve(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	status, open, live, gone := r.setupStatus, r.open, r.live, r.unreachable
	r.mu.Unlock()
	if gone && strings.HasPrefix(q.UserAgent(), "heartex/") {
		panic(http.ErrAbortHandler)
	}
	body, _ := io.ReadAll(q.Body)
	w.Header().Set("Content-Type", "application/json")
	proof := access.Unproven
	if user, password, ok := q.BasicAuth(); ok && r.keys.Current(access.Pair{User: user, Password: password}) {
		proof = access.Proven
	}
	if strings.HasPrefix(q.UserAgent(), "heartex/") && proof == access.Unproven && !open {
		r.refused.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"who are you?"}`)
		return
	}
	if q.URL.Path != "/setup" {
		_ = json.NewEncoder(w).Encode(map[string]string{"status": "UP", "challenge": r.keys.Identity().Sign(q.Header.Get(access.ChallengeHeader))})
		return
	}
	if status != 0 {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":"refused by the test"}`)
		return
	}
	s, err := wire.DecodeSetup(body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.Heard(Setup{
		Project: s.Project, Hostname: s.Hostname, Token: s.AccessToken, BackendURL: "http://" + q.Host,
		Proof: proof, Local: access.FromLoopback(q),
	})
	_ = json.NewEncoder(w).Encode(wire.SetupResponse{ModelVersion: live})
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	n, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	return n
}

func (r *rig) locked(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// paste does what Settings > Model > Connect Model does.
func (r *rig) paste() labelstudio.Backend {
	r.t.Helper()
	b, err := r.studio.AddBackend(r.t.Context(), labelstudio.BackendWrite{Project: r.project, URL: r.hone.URL, Title: "mine"})
	require.NoError(r.t, err)
	return b
}

func (r *rig) hooks() []labelstudio.Webhook {
	r.t.Helper()
	hs, err := r.studio.Webhooks(r.t.Context(), r.project)
	require.NoError(r.t, err)
	return hs
}

func (r *rig) addHook(change func(*labelstudio.Webhook)) labelstudio.Webhook {
	r.t.Helper()
	h := labelstudio.Webhook{
		Project: r.project, URL: r.hone.URL + "/webhook", SendPayload: true, AllActions: true, Active: true,
		Headers: map[string]secret.Secret{header: hookSecret},
	}
	change(&h)
	h, err := r.studio.CreateWebhook(r.t.Context(), h)
	require.NoError(r.t, err)
	return h
}

func (r *rig) sampling() string {
	r.t.Helper()
	p, err := r.studio.Project(r.t.Context(), r.project)
	require.NoError(r.t, err)
	return p.Sampling
}

func (r *rig) connect() api.Report {
	r.t.Helper()
	rep, err := r.Connect(r.t.Context(), r.project, r.hone.URL)
	require.NoError(r.t, err)
	return rep
}

// writes are the requests that change something in Label Studio.
func (r *rig) writes() (out []lstest.Request) {
	for _, q := range r.ls.Requests() {
		if q.Method != http.MethodGet {
			out = append(out, q)
		}
	}
	return out
}

// running starts it with short pauses, and stops it when the test ends.
func (r *rig) running() {
	r.settle, r.retry = time.Millisecond, 20*time.Millisecond
	require.NoError(r.t, r.Start(context.Background()))
	r.t.Cleanup(func() { require.NoError(r.t, r.Stop(context.Background())) })
}

func (r *rig) eventually(what string, cond func() bool) {
	r.t.Helper()
	require.Eventually(r.t, cond, patience, 2*time.Millisecond, what)
}

func (r *rig) signed() bool {
	hs := r.hooks()
	return len(hs) == 1 && hs[0].Headers[header].Reveal() == hookSecret
}

func step(rep api.Report, name string) (api.Step, bool) {
	i := slices.IndexFunc(rep.Steps, func(s api.Step) bool { return strings.HasSuffix(s.Name, name) && s.Level != "ok" })
	if i < 0 {
		return api.Step{}, false
	}
	return rep.Steps[i], true
}

func count(s, part string) int { return strings.Count(s, part) }
