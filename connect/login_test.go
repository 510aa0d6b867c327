package connect

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// As it comes, Label Studio takes no legacy token: a project that was added before the login
// is set up by it as one that is added after.
func TestLoginSetsUpProjectsThatWereThereBefore(t *testing.T) {
	fresh := newRig(t, unconfigured)
	pat, err := admin.CreatePersonalAccessToken(t.Context(), fresh.studio)
	require.NoError(t, err)
	fresh.paste() // as an administrator who may; hone hears of it before anything of it works
	fresh.ls.SetTokens(lstest.TokenSettings{PersonalAccessTokens: true})
	fresh.Expect(fresh.project)
	fresh.running()
	_, none := fresh.Client()
	require.Error(t, none)

	rep, err := fresh.Login(t.Context(), fresh.ls.URL, "no-such-token")
	require.NoError(t, err)
	assert.True(t, rep.Failed(), "%v", rep.Steps)
	kept, _ := fresh.vault.Credential(t.Context())
	assert.Empty(t, kept, "a token that does not work is not kept")

	rep, err = fresh.Login(t.Context(), fresh.ls.URL+"/", pat)
	require.NoError(t, err)
	assert.False(t, rep.Failed(), "%v", rep.Steps)
	kept, _ = fresh.vault.Credential(t.Context())
	assert.Equal(t, Credential{URL: fresh.ls.URL, Token: pat, Chosen: true}, kept)
	fresh.ls.SetTokens(lstest.TokenSettings{PersonalAccessTokens: true, LegacyTokens: true}) // for the test's own client
	fresh.eventually("webhook and sampling are as for a new project", func() bool {
		return fresh.signed() && fresh.sampling() == labelstudio.UncertaintySampling
	})
	assert.NotContains(t, fresh.log.String(), pat.Reveal())

	again, err := New(t.Context(), Options{Vault: fresh.vault, Keys: fresh.keys})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, again.Stop(context.Background())) })
	_, err = again.Client()
	assert.NoError(t, err, "after a restart")
}

func TestLoginDoesNotOverrideTheConfiguration(t *testing.T) {
	configured := newRig(t, nil)
	_, err := configured.Login(t.Context(), configured.ls.URL, lstest.Token)
	require.ErrorContains(t, err, "LABEL_STUDIO_API_KEY")

	// With an address alone, the login gives the token for it, and for no other.
	half := newRig(t, func(o *Options) { o.Token = "" })
	_, err = half.Login(t.Context(), "http://127.0.0.1:1", lstest.Token)
	require.ErrorContains(t, err, "LABEL_STUDIO_URL is "+half.ls.URL)
	rep, err := half.Login(t.Context(), half.ls.URL, lstest.Token)
	require.NoError(t, err)
	assert.False(t, rep.Failed())
	again, err := New(t.Context(), Options{URL: half.ls.URL, Vault: half.vault, Keys: half.keys})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, again.Stop(context.Background())) })
	_, err = again.Client()
	require.NoError(t, err, "after a restart with the address in the environment")
	other, err := New(t.Context(), Options{URL: "http://127.0.0.1:1", Vault: half.vault, Keys: half.keys})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, other.Stop(context.Background())) })
	_, err = other.Client()
	require.Error(t, err, "the token of one Label Studio goes to no other")
}

// Working with another Label Studio would make hone forget every label.
func TestLoginToAnotherLabelStudioIsRefused(t *testing.T) {
	at := int64(1)
	r := newRig(t, func(o *Options) {
		unconfigured(o)
		o.CreatedAt = func(context.Context, event.ProjectID) (int64, error) { return at, nil }
	})
	_, err := r.Login(t.Context(), r.ls.URL, lstest.Token)
	require.ErrorContains(t, err, "one hone serves one Label Studio")
	kept, _ := r.vault.Credential(t.Context())
	assert.Empty(t, kept)
	p, err := r.studio.Project(t.Context(), r.project)
	require.NoError(t, err)
	at = p.CreatedAt.Unix()
	_, err = r.Login(t.Context(), r.ls.URL, lstest.Token)
	require.NoError(t, err)
}

// A token in the extra parameters of the backend's page works, and is said to be readable.
func TestTokenOfThePage(t *testing.T) {
	r := newRig(t, unconfigured)
	pat, err := admin.CreatePersonalAccessToken(t.Context(), r.studio)
	require.NoError(t, err)
	r.paste()
	r.ls.SetTokens(lstest.TokenSettings{PersonalAccessTokens: true})
	r.tryAdopt(t.Context(), Setup{Project: r.project, Hostname: r.ls.URL, Token: lstest.Token, PageToken: pat, BackendURL: r.hone.URL, Local: true})
	_, err = r.Client()
	require.NoError(t, err)
	kept, _ := r.vault.Credential(t.Context())
	assert.Equal(t, Credential{URL: r.ls.URL, Token: pat, FromPage: true}, kept)
	assert.Contains(t, r.log.String(), "every user of the project can read it")
	assert.NotContains(t, r.log.String(), pat.Reveal())
	rep, err := r.Doctor(t.Context(), r.project)
	require.NoError(t, err)
	s, found := step(rep, "token")
	require.True(t, found, "%v", rep.Steps)
	assert.Contains(t, s.Fix, "hone login "+r.ls.URL)

	// Where an address is configured, the page's token goes there and nowhere else.
	half := newRig(t, func(o *Options) { o.Token = "" })
	half.paste()
	half.tryAdopt(t.Context(), Setup{Project: half.project, Hostname: r.ls.URL, Token: "other", PageToken: lstest.Token, BackendURL: half.hone.URL, Local: true})
	c, err := half.Client()
	require.NoError(t, err)
	assert.Equal(t, half.ls.URL, c.URL())
}

func TestSetupFromAnotherLabelStudioIsForeign(t *testing.T) {
	r := newRig(t, unconfigured)
	require.NoError(t, r.Foreign("http://other:8080"), "before there is one")
	r.paste()
	r.tryAdopt(t.Context(), Setup{Project: r.project, Hostname: r.ls.URL, Token: lstest.Token, BackendURL: r.hone.URL, Local: true})
	require.NoError(t, r.Foreign(r.ls.URL+"/"))
	require.NoError(t, r.Foreign(""))
	var foreign *ForeignError
	require.ErrorAs(t, r.Foreign("http://other:8080"), &foreign)
	assert.Contains(t, foreign.Error(), r.ls.URL)
	assert.Contains(t, foreign.Error(), "run a second hone")

	// Label Studio often does not know its own address.
	configured := newRig(t, nil)
	assert.NoError(t, configured.Foreign("http://other:8080"))
	chosen := newRig(t, unconfigured)
	_, err := chosen.Login(t.Context(), chosen.ls.URL, lstest.Token)
	require.NoError(t, err)
	assert.NoError(t, chosen.Foreign("http://other:8080"))
}

// A wrong token, and a Label Studio that is down, are said at once and when they change.
func TestTroubleWithLabelStudioIsSaid(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Token = "wrong" })
	r.running()
	r.eventually("the wrong token is said", func() bool { return r.Trouble() != "" })
	assert.Contains(t, r.Trouble(), "token")
	assert.Contains(t, r.Trouble(), "hone login")
	r.eventually("and logged", func() bool { return count(r.log.String(), "hone cannot work with Label Studio") == 1 })

	down := newRig(t, nil)
	down.ls.SetFault(func(*http.Request) lstest.Fault { return lstest.Fault{Status: http.StatusServiceUnavailable} })
	down.running()
	down.eventually("it is said", func() bool { return down.Trouble() != "" })
	for range 3 { // looking again says nothing new
		down.noteTrouble(down.lookAtLabelStudio(t.Context()))
	}
	assert.Equal(t, 1, count(down.log.String(), "hone cannot work with Label Studio"))
	down.ls.SetFault(nil)
	down.watchWake.Set()
	down.eventually("that it is over too", func() bool { return count(down.log.String(), "answers, and takes the token") == 1 })
	assert.Empty(t, down.Trouble())
	assert.Less(t, watchSoon, 5*time.Second, "within seconds")
}
