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
)

// look makes the keeper look at the project now, as Run does.
func (r *rig) look(k *maintainer) *schedule {
	v := k.schedules[r.project]
	if v == nil {
		v = &schedule{}
		k.schedules[r.project] = v
	}
	k.checkProject(r.t.Context(), r.project, v)
	return v
}

func (r *rig) keeper() *maintainer { return &maintainer{r.Link, map[event.ProjectID]*schedule{}} }

// drain empties what the test itself has caused.
func (r *rig) drain() {
	for len(r.requests) > 0 {
		<-r.requests
	}
}

func TestPastedAddressIsSignedAndSampled(t *testing.T) {
	r := newRig(t, nil)
	r.running()
	r.paste()
	r.eventually("the webhook Label Studio made is signed", r.signed)
	r.eventually("sampling is on", func() bool { return r.sampling() == labelstudio.UncertaintySampling })
}

func TestUnsignedWebhookIsSignedAgain(t *testing.T) {
	r := newRig(t, nil)
	r.running()
	r.paste()
	r.eventually("signed", r.signed)
	h := r.hooks()[0]
	h.Headers = nil
	_, err := r.studio.UpdateWebhook(t.Context(), h)
	require.NoError(t, err)
	// The webhook that is refused now; the last look was just before.
	r.LookAfter(r.project)
	r.eventually("signed again", r.signed)
}

// Listing the backends makes Label Studio call /setup, which asks for a look.
func TestOneLookDoesNotCauseTheNext(t *testing.T) {
	r := newRig(t, nil)
	r.paste()
	r.drain()
	k := r.keeper()
	v := r.look(k)
	assert.True(t, v.next.IsZero(), "nothing is planned")
	assert.Empty(t, r.requests, "no echo is left")
	assert.False(t, v.lastGood.IsZero())
	assert.Len(t, k.schedules, 1)

	writes := len(r.writes())
	r.look(k)
	assert.Len(t, r.writes(), writes, "a second look finds nothing to mend")
}

// A request that is no echo stands, even if it comes while a look is under way.
func TestRequestDuringALookStands(t *testing.T) {
	r := newRig(t, nil)
	r.paste()
	r.drain()
	k := r.keeper()
	r.LookAfter(r.project)
	v := r.look(k)
	assert.WithinDuration(t, v.lastGood.Add(r.retry), v.next, r.retry)
	assert.False(t, v.next.IsZero())
}

func TestLooksAreSpacedButNotForgotten(t *testing.T) {
	r := newRig(t, nil)
	r.paste()
	k := r.keeper()
	v := r.look(k)
	k.scheduleCheck(r.project)
	assert.WithinDuration(t, v.lastGood.Add(r.retry), v.next, time.Second)
	at := v.next
	k.scheduleCheck(r.project)
	assert.Equal(t, at, v.next, "asking again moves nothing")
}

func TestBackendThatIsBeingAddedIsAwaited(t *testing.T) {
	r := newRig(t, nil)
	k := r.keeper()
	for i := 1; i < maxUnregisteredChecks; i++ {
		v := r.look(k)
		require.False(t, v.next.IsZero(), "look %d plans another", i)
	}
	v := r.look(k)
	assert.True(t, v.next.IsZero(), "but not for ever")
	r.paste()
	r.drain()
	r.look(k)
	assert.True(t, r.signed())
}

func TestFailuresAreRetriedEverMoreSlowly(t *testing.T) {
	r := newRig(t, nil)
	r.ls.SetFault(func(*http.Request) lstest.Fault { return lstest.Fault{Status: http.StatusInternalServerError} })
	k := r.keeper()
	var last time.Duration
	for range 12 {
		v := r.look(k)
		pause := time.Until(v.next)
		assert.GreaterOrEqual(t, pause, last-5*time.Second)
		assert.LessOrEqual(t, pause, maxRetry)
		last = pause
	}
	assert.Greater(t, last, maxRetry-10*time.Second)
	r.ls.SetFault(nil)
	r.paste()
	r.drain()
	v := r.look(k)
	assert.True(t, v.next.IsZero())
	assert.Zero(t, v.failures)
}

// Anybody may send an unsigned webhook, or a /setup, that names any project.
func TestUnknownProjectIsForgotten(t *testing.T) {
	r := newRig(t, nil)
	k := r.keeper()
	k.scheduleCheck(4711)
	k.checkProject(t.Context(), 4711, k.schedules[4711])
	assert.Empty(t, k.schedules)
}

func TestKeepLeavesChoicesAlone(t *testing.T) {
	r := newRig(t, nil)
	r.paste()
	k := r.keeper()
	r.look(k)
	h := r.hooks()[0]
	h.Active, h.AllActions, h.Actions = false, false, []string{"ANNOTATION_CREATED"}
	_, err := r.studio.UpdateWebhook(t.Context(), h)
	require.NoError(t, err)
	sequential := labelstudio.SequentialSampling
	_, err = r.studio.PatchProject(t.Context(), r.project, labelstudio.ProjectPatch{Sampling: &sequential})
	require.NoError(t, err)

	before := r.log.String()
	r.look(k)
	h = r.hooks()[0]
	assert.False(t, h.Active, "somebody has switched it off")
	assert.Equal(t, []string{"ANNOTATION_CREATED"}, h.Actions)
	assert.Equal(t, sequential, r.sampling(), "hone has switched it once; somebody has switched it back")
	said := r.log.String()[len(before):]
	assert.Contains(t, said, "is inactive")
	assert.Contains(t, said, "hone connect --project 1")

	before = r.log.String()
	r.look(k)
	assert.NotContains(t, r.log.String()[len(before):], "level=warning", "said once")
}

func TestKeepChangesNoSamplingUnlessItMay(t *testing.T) {
	for name, tc := range map[string]struct {
		manage bool
		start  string
	}{
		"not allowed":     {false, labelstudio.SequentialSampling},
		"somebody's wish": {true, labelstudio.UniformSampling},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(o *Options) { o.ManageSampling = tc.manage })
			_, err := r.studio.PatchProject(t.Context(), r.project, labelstudio.ProjectPatch{Sampling: &tc.start})
			require.NoError(t, err)
			r.paste()
			r.look(r.keeper())
			assert.Equal(t, tc.start, r.sampling())
			assert.True(t, r.signed())
		})
	}
}

// Once one was there, somebody has deleted it.
func TestKeepMakesNoWebhookAgain(t *testing.T) {
	for name, register := range map[string]func(*rig, *maintainer){
		"pasted":    func(r *rig, k *maintainer) { r.paste(); r.look(k) },
		"connected": func(r *rig, _ *maintainer) { r.connect() },
		"made by hone": func(r *rig, k *maintainer) {
			r.pasteWithoutWebhook(r.hone.URL)
			r.look(k)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			k := r.keeper()
			register(r, k)
			require.NoError(t, r.studio.DeleteWebhook(t.Context(), r.hooks()[0].ID))
			for range 2 {
				r.look(k)
			}
			assert.Empty(t, r.hooks())
			assert.Contains(t, r.log.String(), "learns only by reconcile")
		})
	}
}

// Two backends behind one proxy have one host; only hone's webhook may be touched.
func TestTwoBackendsAtOneHost(t *testing.T) {
	r := newRig(t, nil)
	for _, path := range []string{"/other", ""} {
		_, err := r.studio.AddBackend(t.Context(), labelstudio.BackendWrite{Project: r.project, URL: r.hone.URL + path, Title: "b"})
		require.NoError(t, err)
	}
	r.look(r.keeper())
	for _, h := range r.hooks() {
		if h.URL == r.hone.URL+"/webhook" {
			assert.Equal(t, hookSecret, h.Headers[header].Reveal())
		} else {
			assert.Empty(t, h.Headers, "the secret goes to hone's address only")
		}
	}
}

// Nobody takes what is asked for here: what is beyond the room for it is dropped, and
// the first are kept.
func TestLookAfterNeverBlocks(t *testing.T) {
	r := newRig(t, func(o *Options) { o.URL = "" })
	const many = 1000
	for p := range event.ProjectID(many) {
		r.LookAfter(p)
		r.Heard(Setup{Project: p, Hostname: "http://elsewhere.example", BackendURL: "http://hone:9090"})
	}
	require.Less(t, cap(r.requests), many)
	require.Len(t, r.requests, cap(r.requests))
	for i := range event.ProjectID(cap(r.requests)) {
		assert.Equal(t, checkRequest{project: i / 2, setup: i%2 == 1}, <-r.requests)
	}
	require.Len(t, r.offers, 1)
	assert.Zero(t, (<-r.offers).Project)
	assert.Len(t, r.hosts, min(many, maxHosts))
}

func TestItStopsWhileLabelStudioHangs(t *testing.T) {
	r := newRig(t, nil)
	asked := make(chan struct{}, 100)
	r.ls.SetFault(func(*http.Request) lstest.Fault {
		asked <- struct{}{}
		return lstest.Fault{Delay: time.Hour}
	})
	r.settle = time.Millisecond
	require.NoError(t, r.Start(t.Context()))
	r.LookAfter(r.project)
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, r.Stop(ctx), "it goes on")
}
