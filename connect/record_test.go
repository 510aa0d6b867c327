package connect

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// strict asks Label Studio's calls for the secret, as everywhere but on loopback.
func (r *rig) strict() { r.locked(func() { r.open = false }) }

// restarted forgets what hone has heard since its start.
func (r *rig) restarted() {
	r.Link.mu.Lock()
	clear(r.Link.hosts)
	clear(r.Link.registrations)
	r.Link.mu.Unlock()
	r.drain()
}

// withSecret is an address of hone with the current secret, as `hone secret` prints it.
func (r *rig) withSecret() string {
	p := r.keys.Backend()
	return labelstudio.WithUserInfo(r.hone.URL, p.User, secret.Secret(p.Password))
}

func (r *rig) add(url string) labelstudio.Backend {
	r.t.Helper()
	b, err := r.studio.AddBackend(r.t.Context(), labelstudio.BackendWrite{Project: r.project, URL: url, Title: "mine"})
	require.NoError(r.t, err)
	return b
}

// connected reports whether Label Studio reaches hone now, and with one webhook
// that carries the secret.
func (r *rig) connected() bool {
	bs, err := r.studio.Backends(r.t.Context(), r.project)
	require.NoError(r.t, err)
	hs := r.hooks()
	for _, b := range bs {
		if b.State != "CO" {
			return false
		}
	}
	return len(bs) > 0 && len(hs) == 1 && r.carries(hs[0])
}

func TestPastedAddressWithTheSecretIsLeftAsItIs(t *testing.T) {
	r := newRig(t, nil)
	r.strict()
	r.add(r.withSecret())
	r.Expect(r.project)
	require.True(t, r.Unregistered(r.project))
	before := len(r.writes())
	v := r.look(r.keeper())
	assert.Zero(t, v.failures)
	assert.False(t, r.Unregistered(r.project))
	assert.True(t, r.connected())
	for _, q := range r.writes()[before:] {
		assert.NotContains(t, q.Path, "/api/ml", "the backend is in order")
		assert.NotContains(t, q.Path, "/api/webhooks", "the webhook is in order")
	}
}

// Registrations as the version before this one made them: without any secret.
func TestRegistrationWithoutTheSecretIsMended(t *testing.T) {
	for name, old := range map[string]func(*rig){
		"pasted":       func(r *rig) { r.paste() },
		"connected":    func(r *rig) { r.addHook(func(h *labelstudio.Webhook) { h.Headers = nil }); r.paste() },
		"two backends": func(r *rig) { r.paste(); r.paste() },
		"two webhooks": func(r *rig) {
			r.paste()
			r.addHook(func(h *labelstudio.Webhook) { h.Headers = map[string]secret.Secret{header: "another"} })
		},
		"another secret": func(r *rig) {
			r.add(strings.Replace(r.hone.URL, "http://", "http://hone:lost-with-the-volume@", 1))
		},
		"another password": func(r *rig) {
			b := r.paste()
			_, err := r.studio.PatchBackend(r.t.Context(), b.ID, labelstudio.BackendWrite{
				Project: r.project, URL: r.hone.URL, Title: "mine", User: "hone", Password: "lost-with-the-volume",
			})
			require.NoError(r.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			old(r)
			r.strict()
			r.restarted()
			r.Expect(r.project)
			assert.True(t, r.Unregistered(r.project))
			assert.True(t, r.Unregistered(0))
			v := r.look(r.keeper())
			assert.Zero(t, v.failures, r.log)
			assert.True(t, r.connected())
			assert.False(t, r.Unregistered(r.project))
			assert.False(t, r.Unregistered(0))
			assert.Empty(t, r.Problem(r.project))
			assert.NotContains(t, r.log.String(), hookSecret)
		})
	}
}

func TestOfTwoWebhooksTheOneThatCarriesTheSecretStays(t *testing.T) {
	r := newRig(t, nil)
	r.add(r.withSecret()) // Label Studio makes a webhook with the secret in its address
	kept := r.hooks()[0].ID
	r.addHook(func(h *labelstudio.Webhook) { h.Headers = nil })
	r.strict()
	r.look(r.keeper())
	hs := r.hooks()
	require.Len(t, hs, 1)
	assert.Equal(t, kept, hs[0].ID)
}

// What cannot be mended is a problem that status shows, and its webhooks are a
// reason to ask until it is.
func TestWhatCannotBeMendedIsAProblem(t *testing.T) {
	r := newRig(t, nil)
	r.paste()
	r.strict()
	r.drain()
	r.Expect(r.project)
	assert.Empty(t, r.Problem(r.project), "not before it was tried")
	r.ls.SetFault(func(q *http.Request) lstest.Fault {
		if q.Method == http.MethodPatch {
			return lstest.Fault{Status: http.StatusForbidden}
		}
		return lstest.Fault{}
	})
	k := r.keeper()
	v := r.look(k)
	assert.False(t, v.next.IsZero(), "it is tried again")
	assert.Contains(t, r.Problem(r.project), "secret could not be put")
	assert.True(t, r.Unregistered(r.project))
	r.ls.SetFault(nil)
	r.look(k)
	assert.Empty(t, r.Problem(r.project))
	assert.False(t, r.Unregistered(r.project))
}

func TestNoTokenToLookIsAProblem(t *testing.T) {
	r := newRig(t, unconfigured)
	r.Expect(r.project)
	assert.Contains(t, r.Problem(r.project), "hone secret")
	r.Heard(Setup{Project: r.project, BackendURL: r.hone.URL, Proof: access.Proven})
	assert.Empty(t, r.Problem(r.project), "Label Studio calls with the secret")
}

func TestARotatedSecretReachesEveryRegistration(t *testing.T) {
	for name, add := range map[string]func(*rig){
		"connected": func(r *rig) { r.connect() },
		"pasted":    func(r *rig) { r.add(r.withSecret()) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(o *Options) {
				keys, err := access.Open(access.Options{Dir: t.TempDir(), HookHeader: header})
				require.NoError(t, err)
				o.Keys = keys
			})
			r.keys = r.o.Keys
			r.strict()
			add(r)
			r.running()
			r.Check(true)
			r.eventually("registered", func() bool { return !r.Unregistered(r.project) && r.connected() })
			old := r.keys.Backend()

			require.NoError(t, r.keys.Rotate())
			require.NotEqual(t, old, r.keys.Backend())
			r.Renew()
			r.eventually("the old secret is forgotten", func() bool { return !r.keys.Rotating() })
			// A call with the old one may have been on its way, and Label Studio notes its end.
			r.eventually("Label Studio reaches hone with the new one", r.connected)
			assert.False(t, r.keys.Current(old))
			for _, h := range r.hooks() {
				assert.NotContains(t, h.URL, old.Password)
			}
			bs, err := r.studio.Backends(t.Context(), r.project)
			require.NoError(t, err)
			assert.NotContains(t, bs[0].URL, old.Password)
			assert.NotContains(t, r.log.String(), old.Password)
			assert.NotContains(t, r.log.String(), r.keys.Backend().Password)
		})
	}
}

// A look at what is in order costs Label Studio one question, however many
// projects there are; a webhook that lost its secret is found by it.
func TestSurveyAsksOnceAndFindsWhatIsBroken(t *testing.T) {
	r := newRig(t, nil)
	r.connect()
	k := r.keeper()
	r.look(k)
	before := len(r.ls.Requests())
	k.checkWebhooks(t.Context(), false)
	assert.Len(t, r.ls.Requests(), before+1)
	assert.True(t, k.schedules[r.project].next.IsZero(), "nothing to look at")

	h := r.hooks()[0]
	h.Headers = nil
	_, err := r.studio.UpdateWebhook(t.Context(), h)
	require.NoError(t, err)
	k.checkWebhooks(t.Context(), false)
	assert.False(t, k.schedules[r.project].next.IsZero())
	r.look(k)
	assert.True(t, r.signed())
}

// hone lost its whole directory: it knows no project, and has another secret than
// the one in Label Studio.
func TestRegistrationsOfALostDirectoryAreFound(t *testing.T) {
	for name, add := range map[string]func(*rig){
		"by its header": func(r *rig) {
			r.paste()
			h := r.hooks()[0]
			h.Headers = map[string]secret.Secret{header: "lost"}
			_, err := r.studio.UpdateWebhook(r.t.Context(), h)
			require.NoError(r.t, err)
		},
		"by its user": func(r *rig) { r.add(strings.Replace(r.hone.URL, "http://", "http://hone:lost@", 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			add(r)
			r.strict()
			r.restarted()
			r.running()
			r.Check(true)
			r.eventually("the registration is mended", r.connected)
		})
	}
}

// Somebody else's webhook, to somebody else's server, gets no secret of hone's.
func TestSecretGoesToHoneOnly(t *testing.T) {
	var asked []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked = append(asked, q.Header.Get("Authorization")+q.Header.Get(header))
		_, _ = w.Write([]byte(`{"status":"UP","model_version":"hone-1"}`))
	}))
	defer other.Close()
	r := newRig(t, func(o *Options) { o.Port = portOf(t, other.URL) })
	_, err := r.studio.AddBackend(t.Context(), labelstudio.BackendWrite{Project: r.project, URL: other.URL, Title: modelTitle})
	require.NoError(t, err)
	h := r.hooks()[0]
	h.Headers = map[string]secret.Secret{header: "bait"}
	_, err = r.studio.UpdateWebhook(t.Context(), h)
	require.NoError(t, err)
	r.Expect(r.project)
	k := r.keeper()
	k.checkWebhooks(t.Context(), true)
	for range maxUnregisteredChecks {
		r.look(k)
	}
	assert.Equal(t, "bait", r.hooks()[0].Headers[header].Reveal())
	for _, a := range asked {
		assert.Empty(t, a)
	}
	assert.NotEmpty(t, asked, "it was challenged")
	assert.False(t, r.Unregistered(r.project), "there is nothing of hone's to mend")
}

// Label Studio leaves a webhook behind when its backend is removed.
func TestStrayWebhookWithoutTheSecretIsRemoved(t *testing.T) {
	r := newRig(t, nil)
	b := r.paste()
	require.NoError(t, admin.DeleteBackend(t.Context(), r.studio, b.ID))
	require.Len(t, r.hooks(), 1)
	r.strict()
	r.look(r.keeper())
	assert.Empty(t, r.hooks())
}

// A second webhook that reaches hone under another name is found once it has been
// refused.
func TestWebhookUnderAnotherAddressIsFound(t *testing.T) {
	var refused uint64
	r := newRig(t, func(o *Options) { o.Refused = func() Refused { return Refused{Webhooks: refused} } })
	r.connect()
	k := r.keeper()
	r.look(k)
	r.addHook(func(h *labelstudio.Webhook) {
		h.URL, h.Headers = strings.Replace(h.URL, "127.0.0.1", "localhost", 1), nil
	})
	r.addHook(func(h *labelstudio.Webhook) { h.URL, h.Headers = "http://other.example/webhook", nil })
	r.look(k)
	assert.Len(t, r.hooks(), 3, "nothing points to it yet")
	refused++
	r.look(k)
	assert.Len(t, r.hooks(), 2)
}

func TestRecordsAreBounded(t *testing.T) {
	r := newRig(t, nil)
	for p := range maxHosts + 100 {
		r.Heard(Setup{Project: event.ProjectID(p + 1), BackendURL: "http://hone.internal:9090"})
	}
	assert.LessOrEqual(t, len(r.Registrations()), maxHosts)
}
