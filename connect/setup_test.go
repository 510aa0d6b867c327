package connect

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
)

func unconfigured(o *Options) { o.URL, o.Token = "", "" }

func TestSetupTeachesLabelStudio(t *testing.T) {
	var told atomic.Pointer[labelstudio.Client]
	r := newRig(t, func(o *Options) {
		unconfigured(o)
		o.OnClient = func(c *labelstudio.Client) { told.Store(c) }
	})
	_, err := r.Client()
	require.ErrorIs(t, err, ErrNoCredential)
	r.running()
	r.paste()
	r.eventually("its token works, and the webhook is signed with it", r.signed)
	c, err := r.Client()
	require.NoError(t, err)
	assert.Equal(t, r.ls.URL, c.URL())
	assert.Same(t, c, told.Load())
	kept, _ := r.vault.Credential(t.Context())
	assert.Equal(t, Credential{URL: r.ls.URL, Token: lstest.Token}, kept)

	again, err := New(t.Context(), Options{Vault: r.vault, Keys: r.keys})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, again.Stop(context.Background())) })
	c, err = again.Client()
	require.NoError(t, err)
	_, err = c.WhoAmI(t.Context())
	assert.NoError(t, err, "remembered over a restart")
}

// A fresh Label Studio sends a token that does not work there.
func TestUselessTokenIsAFaultUntilOneWorks(t *testing.T) {
	r := newRig(t, unconfigured)
	r.ls.SetTokens(lstest.TokenSettings{PersonalAccessTokens: true})
	r.running()
	// The rig's own client has the legacy token too, so the test speaks for Label Studio.
	setup := Setup{Project: r.project, Hostname: r.ls.URL, Token: lstest.Token, BackendURL: r.hone.URL, Local: true}
	r.Heard(setup)
	r.eventually("the fault says so", func() bool {
		_, err := r.Client()
		return err != nil && err.Error() != ErrNoCredential.Error()
	})
	_, err := r.Client()
	assert.ErrorContains(t, err, "does not work there")
	assert.ErrorContains(t, err, "LABEL_STUDIO_API_KEY")
	assert.ErrorContains(t, err, "legacy token")
	assert.NotContains(t, err.Error(), lstest.Token)
	assert.NotContains(t, r.log.String(), lstest.Token)
	kept, _ := r.vault.Credential(t.Context())
	assert.Empty(t, kept, "a token that does not work is not remembered")
	rep, err := r.Doctor(t.Context(), 0)
	require.NoError(t, err)
	s, found := step(rep, "credential")
	require.True(t, found)
	assert.Contains(t, s.What, "does not work there")

	r.ls.SetTokens(lstest.TokenSettings{PersonalAccessTokens: true, LegacyTokens: true})
	r.paste()
	r.eventually("the next /setup tries again", func() bool {
		r.Heard(setup)
		_, err := r.Client()
		return err == nil
	})
}

func TestAddressThatHoneDoesNotReachIsNotCalledABadToken(t *testing.T) {
	r := newRig(t, unconfigured)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, tc := range []struct {
		host  string
		token secret.Secret
		says  string
	}{
		{gone.URL, "t", "does not reach"},
		{"://", "t", "of no use"},
		{r.ls.URL, "", "carried no token"},
	} {
		r.tryAdopt(t.Context(), Setup{Project: 1, Hostname: tc.host, Token: tc.token, Local: true})
		_, err := r.Client()
		assert.ErrorContains(t, err, tc.says)
		assert.ErrorContains(t, err, "LABEL_STUDIO_URL")
	}
}

// The configured token, and the one in use, go to no address that /setup names.
func TestNoTokenGoesToAnotherAddress(t *testing.T) {
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked.Add(1)
		if a := q.Header.Get("Authorization"); a != "" && a != "Token theirs" {
			t.Errorf("another address got %q", a)
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer other.Close()
	offer := Setup{Project: 1, Hostname: other.URL, Token: "theirs", BackendURL: "http://hone:9090", Local: true}

	configured := newRig(t, nil)
	configured.Heard(offer)
	assert.Empty(t, configured.offers)
	noToken := newRig(t, func(o *Options) { o.Token = "" })
	noToken.Heard(offer)
	assert.Empty(t, noToken.offers)
	assert.Zero(t, asked.Load(), "with a configured address nothing else is called")

	noURL := newRig(t, func(o *Options) { o.URL = "" })
	noURL.tryAdopt(t.Context(), offer)
	assert.Positive(t, asked.Load())

	learned := newRig(t, unconfigured)
	learned.paste()
	learned.tryAdopt(t.Context(), Setup{Project: 1, Hostname: learned.ls.URL, Token: lstest.Token, BackendURL: learned.hone.URL, Local: true})
	before := asked.Load()
	learned.ls.SetTokens(lstest.TokenSettings{})
	learned.tryAdopt(t.Context(), offer)
	assert.Equal(t, before, asked.Load(), "one Label Studio is in use; another is not called")
	learned.Heard(offer)
	learned.Heard(offer)
	c, err := learned.Client()
	require.NoError(t, err)
	assert.Equal(t, learned.ls.URL, c.URL())
	assert.Contains(t, learned.log.String(), "another Label Studio")
}

func TestNewTokenReplacesOneThatNoLongerWorks(t *testing.T) {
	r := newRig(t, unconfigured)
	r.retry = time.Nanosecond
	theirs := secret.Secret(r.ls.AddUser("second@example.com"))
	r.paste()
	r.tryAdopt(t.Context(), Setup{Project: r.project, Hostname: r.ls.URL, Token: theirs, BackendURL: r.hone.URL, Local: true})
	first, err := r.Client()
	require.NoError(t, err)
	offer := Setup{Project: r.project, Hostname: r.ls.URL + "/", Token: lstest.Token, BackendURL: r.hone.URL, Local: true}
	r.tryAdopt(t.Context(), offer)
	c, _ := r.Client()
	assert.Same(t, first, c, "the one in use works")

	r.ls.SetFault(func(q *http.Request) lstest.Fault {
		if q.Header.Get("Authorization") == "Token "+theirs.Reveal() {
			return lstest.Fault{Status: http.StatusUnauthorized}
		}
		return lstest.Fault{}
	})
	r.tryAdopt(t.Context(), offer)
	c, err = r.Client()
	require.NoError(t, err)
	assert.NotSame(t, first, c)
	_, err = c.WhoAmI(t.Context())
	assert.NoError(t, err)
}

func TestHostsCompare(t *testing.T) {
	for in, want := range map[string]string{
		"http://Hone:9090/x": "hone:9090", "http://hone:80": "hone", "https://hone:443/": "hone",
		"http://u:p@hone": "hone", "http://[::1]:9090": "[::1]:9090", "%zz": "", "hone": "",
	} {
		assert.Equal(t, want, hostOf(in), in)
	}
}

// Anybody who has the secret may name any host in /setup: one is believed once it
// lists this hone.
func TestLabelStudioThatDoesNotListHoneIsNotBelieved(t *testing.T) {
	r := newRig(t, unconfigured)
	offer := Setup{Project: r.project, Hostname: r.ls.URL, Token: lstest.Token, BackendURL: r.hone.URL, Local: true}
	r.tryAdopt(t.Context(), offer)
	_, err := r.Client()
	require.ErrorIs(t, err, ErrNoCredential, "the first call comes before the backend is listed, and is no fault")
	kept, _ := r.vault.Credential(t.Context())
	assert.Empty(t, kept)

	other := offer
	other.BackendURL = "http://attacker.example:1"
	r.paste()
	r.tryAdopt(t.Context(), other)
	_, err = r.Client()
	require.ErrorIs(t, err, ErrNoCredential, "another address than the one that is listed")

	r.tryAdopt(t.Context(), offer)
	_, err = r.Client()
	assert.NoError(t, err)
}

// What a request names may not lead hone to its own machine, or to a cloud's
// metadata; where the caller is on this machine, the former is no news to it.
func TestSetupLeadsHoneNowhereElse(t *testing.T) {
	var asked atomic.Int64
	here := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer here.Close()
	r := newRig(t, unconfigured)
	for _, tc := range []struct {
		host  string
		local bool
	}{
		{here.URL, false},
		{"http://169.254.169.254", true},
		{"http://169.254.169.254", false},
		{"http://[fe80::1]", true},
		{"http://0.0.0.0:" + strings.TrimPrefix(here.URL, "http://127.0.0.1:"), true},
		{"http://[::ffff:169.254.169.254]", true},
	} {
		r.tryAdopt(t.Context(), Setup{Project: r.project, Hostname: tc.host, Token: "t", BackendURL: r.hone.URL, Local: tc.local})
		_, err := r.Client()
		require.ErrorContains(t, err, "does not follow", tc.host)
		require.ErrorContains(t, err, "LABEL_STUDIO_URL")
	}
	assert.Zero(t, asked.Load())
}
