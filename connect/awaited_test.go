package connect

import (
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

// pasteWithoutWebhook adds hone to a Label Studio that adds the backend and fails to make its
// webhook.
func (r *rig) pasteWithoutWebhook(url string) labelstudio.Backend {
	r.t.Helper()
	b := r.add(url)
	for _, h := range r.hooks() {
		require.NoError(r.t, r.studio.DeleteWebhook(r.t.Context(), h.ID))
	}
	r.drain()
	return b
}

// ways are addresses that people paste.
func ways(r *rig) map[string]string {
	return map[string]string{"plain": r.hone.URL, "with the secret": r.withSecret()}
}

func TestWebhookThatLabelStudioDidNotMakeIsMade(t *testing.T) {
	for _, way := range []string{"plain", "with the secret"} {
		t.Run(way, func(t *testing.T) {
			var changes []string
			r := newRig(t, func(o *Options) { o.OnChange = func(_ event.ProjectID, why string) { changes = append(changes, why) } })
			r.pasteWithoutWebhook(ways(r)[way])
			k := r.keeper()
			v := r.look(k)
			hs := r.hooks()
			require.Len(t, hs, 1)
			assert.True(t, hs[0].Active && hs[0].SendPayload && hs[0].AllActions)
			assert.Equal(t, hookSecret, hs[0].Headers[header].Reveal())
			assert.Empty(t, r.Problems(r.project))
			assert.NotContains(t, r.log.String(), "level=warning")
			assert.Len(t, changes, 1, "what was lost until then is read")

			// Label Studio repeats the whole request, as it does when its database was locked.
			r.add(ways(r)[way])
			assert.Len(t, r.hooks(), 1, "it makes no second one")
			assert.False(t, v.next.IsZero(), "it looks again for a second one all the same")
			before := r.hooks()
			r.look(k)
			assert.Equal(t, before, r.hooks())
			assert.Len(t, changes, 1)
		})
	}
}

// Label Studio makes its own at the same time.
func TestWebhooksThatBothMakeBecomeOne(t *testing.T) {
	r := newRig(t, nil)
	r.pasteWithoutWebhook(r.hone.URL)
	theirs := false
	r.ls.SetFault(func(q *http.Request) lstest.Fault {
		if !theirs && q.Method == http.MethodPost && q.URL.Path == "/api/webhooks/" {
			theirs = true
			r.addHook(func(h *labelstudio.Webhook) { h.Headers = nil })
		}
		return lstest.Fault{}
	})
	k := r.keeper()
	v := r.look(k)
	require.Len(t, r.hooks(), 2)
	require.False(t, v.next.IsZero())
	require.WithinDuration(t, time.Now(), v.next, 10*checkDelay)
	r.look(k)
	assert.True(t, r.signed())
	assert.Empty(t, r.Problems(r.project))
}

// A check that fails before it comes to the webhooks has seen none.
func TestWebhookIsAwaitedUntilItWasSeen(t *testing.T) {
	records := &book{of: map[event.ProjectID]event.Registration{}}
	r := newRig(t, func(o *Options) { o.Records = records })
	r.pasteWithoutWebhook(r.hone.URL)
	r.ls.SetFault(func(q *http.Request) (f lstest.Fault) {
		if q.Method == http.MethodPost && q.URL.Path == "/api/webhooks/" {
			f.Status = http.StatusServiceUnavailable
		}
		return f
	})
	k := r.keeper()
	require.Equal(t, 1, r.look(k).failures)
	require.NotEmpty(t, records.of[r.project].URL)
	require.True(t, records.of[r.project].HookAwaited, "also by a hone that starts anew")
	r.ls.SetFault(nil)
	r.look(k)
	assert.True(t, r.signed())
	assert.False(t, records.of[r.project].HookAwaited)
}

// Somebody has deleted model and webhook, and pasted the address again.
func TestWebhookIsAwaitedAgainWithANewModel(t *testing.T) {
	r := newRig(t, nil)
	b := r.paste()
	k := r.keeper()
	r.look(k)
	require.NoError(t, r.studio.DeleteWebhook(t.Context(), r.hooks()[0].ID))
	require.NoError(t, admin.DeleteBackend(t.Context(), r.studio, b.ID))
	r.look(k)
	r.look(k)
	require.Error(t, r.LeftAlone(r.project))
	require.Empty(t, r.hooks())
	r.pasteWithoutWebhook(r.hone.URL)
	r.look(k)
	assert.True(t, r.signed())
}

// Where hone does not know whether there was a webhook before, nobody's choice is overruled.
func TestWebhookIsNotMadeWhere(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Options)
		url    func(*rig) string
		status int // what Label Studio answers when hone makes one
	}{
		"Label Studio finds it invalid": {status: http.StatusBadRequest},
		"an older hone was registered": {change: func(o *Options) {
			o.Records = &book{of: map[event.ProjectID]event.Registration{1: {URL: "http://hone:9090"}}}
		}},
		"hone polls the project": {change: func(o *Options) {
			o.Polling = func(event.ProjectID) (Polling, bool) { return Polling{}, true }
		}},
		"Label Studio takes no webhook to the address": {url: func(r *rig) string {
			r.ls.SetNames(map[string]string{"hone:9090": r.hone.Listener.Addr().String()})
			return "http://hone:9090"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tc.change)
			at := r.hone.URL
			if tc.url != nil {
				at = tc.url(r)
			}
			r.pasteWithoutWebhook(at)
			r.ls.SetFault(func(q *http.Request) (f lstest.Fault) {
				if q.Method == http.MethodPost && q.URL.Path == "/api/webhooks/" {
					f.Status = tc.status
				}
				return f
			})
			v := r.look(r.keeper())
			assert.Zero(t, v.failures)
			assert.Empty(t, r.hooks())
			assert.Contains(t, r.names(), "webhook")
		})
	}
}

// Label Studio makes none, without a word, to an address that it blocks.
func TestWebhookToABlockedAddressIsAProblem(t *testing.T) {
	r := newRig(t, nil)
	r.pasteWithoutWebhook(r.hone.URL)
	r.ls.SetFault(func(q *http.Request) (f lstest.Fault) {
		if q.Method == http.MethodPost && q.URL.Path == "/api/webhooks/" {
			f.Status = http.StatusForbidden
		}
		return f
	})
	v := r.look(r.keeper())
	assert.Zero(t, v.failures)
	assert.Equal(t, []string{blockedName}, r.names())
}
