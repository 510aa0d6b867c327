package labelstudio_test

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// The client knows beforehand what Label Studio will say of a host.
func (s suite) hookHosts(t *testing.T) {
	p, _ := s.project(t)
	w, err := s.c.CreateWebhook(t.Context(), labelstudio.Webhook{Project: p, URL: "http://hone.internal/webhook"})
	require.NoError(t, err)
	for _, address := range []string{
		"http://hone:SECRET@hone.internal:9090/webhook", "http://localhost:9090", "http://127.0.0.1:9090", "http://hone:SECRET@127.0.0.1:9090", "http://[::1]:9090",
		"http://hone:SECRET@[::1]:9090", "http://Hone.Internal.:9090", "http://bücher.de", "http://hone.xn--p1ai", "http://a.b-c", "http://0.0.0.0",
		labelstudio.WithUserInfo("http://hone.internal", "hone", "a b/c@d:é?#[]"),
		"http://hone:9090/webhook", "http://hone:SECRET@hone:9090/webhook", "http://my_hone.internal", "http://hone.x", "http://hone.x1", "http://1.2.3", "http://256.1.1.1",
		"http://-hone.internal", "http://hone-.internal", "http://hone.xn--é1", "http://localhost.", "http://[:::]:9090", "http://[::1%25lo]", "http://hone.internal:",
		"http://hone.internal:123456", "http://" + strings.Repeat("a", 64) + ".internal", "http://" + strings.Repeat("a.", 126) + "internal",
	} {
		verdict := labelstudio.CheckHookHost(address)
		_, err := s.c.CreateWebhook(t.Context(), labelstudio.Webhook{Project: p, URL: address})
		w.URL = address
		_, changed := s.c.UpdateWebhook(t.Context(), w)
		if verdict == nil {
			require.NoError(t, err, address)
			require.NoError(t, changed, address)
			continue
		}
		for _, err := range []error{err, changed} {
			require.True(t, labelstudio.IsInvalid(err), "%s: %v", address, err)
			require.ErrorContains(t, err, "Enter a valid URL.")
		}
	}
	all, err := s.c.Webhooks(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, all, 13)
}

func (s suite) allWebhooks(t *testing.T) {
	p, _ := s.project(t)
	q, _ := s.project(t)
	var made []labelstudio.Webhook
	for _, project := range []event.ProjectID{p, q} {
		w, err := s.c.CreateWebhook(t.Context(), labelstudio.Webhook{Project: project, URL: "http://hone.internal/webhook", Active: true, AllActions: true})
		require.NoError(t, err)
		made = append(made, w)
	}
	all, err := s.c.AllWebhooks(t.Context())
	require.NoError(t, err)
	require.Subset(t, all, made)
	only, err := s.c.Webhooks(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, made[1:], only)
}

// hookURLs are those of a project, in the order in which they were made.
func (s suite) hookURLs(t *testing.T, p event.ProjectID) (urls []string) {
	t.Helper()
	all, err := s.c.Webhooks(t.Context(), p)
	require.NoError(t, err)
	for _, w := range all {
		urls = append(urls, w.URL)
	}
	return urls
}

// Adding an ML backend makes a webhook for its address, unless there is one or
// there can be none.
func (s suite) autoHooks(t *testing.T) {
	r := newReceiver(t)
	p, _ := s.project(t)
	secret := labelstudio.WithUserInfo(r.URL, "hone", "SECRET")
	_, err := s.c.CreateWebhook(t.Context(), labelstudio.Webhook{Project: p, URL: r.URL + "/webhook", SendPayload: false})
	require.NoError(t, err)
	want := []string{r.URL + "/webhook"}
	for _, step := range []struct{ add, hook string }{
		{r.URL, ""},
		{r.URL + "/", ""},
		{secret, secret + "/webhook"}, // another text, another webhook
		{secret + "//", ""},
		{r.URL + "/prefix/", r.URL + "/prefix/webhook"},
	} {
		_, err := s.c.AddBackend(t.Context(), labelstudio.BackendWrite{Project: p, URL: step.add})
		require.NoError(t, err)
		if step.hook != "" {
			want = append(want, step.hook)
		}
		require.Equal(t, want, s.hookURLs(t, p), step.add)
	}
	all, err := s.c.Webhooks(t.Context(), p)
	require.NoError(t, err)
	require.False(t, all[0].SendPayload, "what was there stays as it was")
	require.True(t, all[1].AllActions && all[1].SendPayload && all[1].Active)
	require.Empty(t, all[1].Headers)

	// A name without a dot: added, reached, and no webhook. The real server needs
	// one that this machine resolves.
	named := undotted(t, r.Listener.Addr())
	if named == "" {
		t.Log("this machine has no name without a dot that leads to itself: not tried")
		return
	}
	_, err = s.c.AddBackend(t.Context(), labelstudio.BackendWrite{Project: p, URL: named})
	require.NoError(t, err)
	require.Equal(t, want, s.hookURLs(t, p))
}

// The same on the stand-in, which can be told where a name leads.
func TestStandInMakesNoWebhookForAHostWithoutADot(t *testing.T) {
	server := lstest.New()
	t.Cleanup(server.Close)
	c, err := labelstudio.NewClient(labelstudio.Options{URL: server.URL, Token: lstest.Token})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	s := suite{c, server.URL, lstest.Token}
	r := newReceiver(t)
	server.SetNames(map[string]string{"hone:9090": r.Listener.Addr().String(), "hone.internal:9090": r.Listener.Addr().String()})
	p, ids := s.project(t, "a")
	b, err := c.AddBackend(t.Context(), labelstudio.BackendWrite{Project: p, URL: "http://hone:9090"})
	require.NoError(t, err)
	require.Equal(t, "CO", b.State)
	require.Empty(t, s.hookURLs(t, p))
	_, err = c.AddBackend(t.Context(), labelstudio.BackendWrite{Project: p, URL: "http://hone:SECRET@hone.internal:9090"})
	require.NoError(t, err)
	require.Equal(t, []string{"http://hone:SECRET@hone.internal:9090/webhook"}, s.hookURLs(t, p))
	r.take()
	s.annotate(t, ids[0], "a")
	require.Len(t, r.take(), 1)
}

// undotted is an address of the receiver by a name without a dot; empty when the
// machine has none.
func undotted(t *testing.T, at net.Addr) string {
	t.Helper()
	_, port, err := net.SplitHostPort(at.String())
	require.NoError(t, err)
	names, _ := net.DefaultResolver.LookupAddr(t.Context(), "127.0.0.1")
	for _, name := range names {
		address := "http://" + net.JoinHostPort(strings.TrimSuffix(name, "."), port)
		if labelstudio.CheckHookHost(address) == nil {
			continue
		}
		if found, err := net.DefaultResolver.LookupHost(t.Context(), name); err == nil && len(found) > 0 && found[0] == "127.0.0.1" {
			return address
		}
	}
	return ""
}

// A changed address is called from then on, and gets no webhook.
func (s suite) movedBackend(t *testing.T) {
	from, to := newReceiver(t), newReceiver(t)
	p, _ := s.project(t)
	b, err := s.c.AddBackend(t.Context(), labelstudio.BackendWrite{Project: p, URL: from.URL, Title: "hone", User: "u", Password: "pw"})
	require.NoError(t, err)
	from.take()
	b, err = s.c.PatchBackend(t.Context(), b.ID, labelstudio.BackendWrite{Project: p, URL: to.URL, Title: "hone"})
	require.NoError(t, err)
	require.Equal(t, to.URL, b.URL)
	require.Equal(t, "u", b.BasicAuthUser, "what is not sent stays")
	require.Equal(t, []string{from.URL + "/webhook"}, s.hookURLs(t, p))
	from.take() // it looks at the old one first
	to.take()
	require.NoError(t, admin.TrainBackend(t.Context(), s.c, b.ID))
	require.Empty(t, from.take())
	require.NotEmpty(t, to.take())
}
