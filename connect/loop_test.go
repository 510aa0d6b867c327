package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// book is Records in memory.
type book struct {
	mu sync.Mutex
	of map[event.ProjectID]event.Registration
	// damaged names records that cannot be read.
	damaged error
}

func (b *book) Registrations(context.Context) (map[event.ProjectID]event.Registration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[event.ProjectID]event.Registration{}
	for p, r := range b.of {
		out[p] = r
	}
	return out, b.damaged
}

func (b *book) SetRegistration(_ context.Context, p event.ProjectID, r event.Registration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of[p] = r
	return nil
}

// names are those of a project's problems.
func (r *rig) names() (out []string) {
	for _, s := range r.Problems(r.project) {
		out = append(out, s.Name)
	}
	return out
}

func TestTheCountSaysWhoSwitchedAWebhookOff(t *testing.T) {
	for name, tc := range map[string]struct {
		limit, failures int
		byHand          bool
		active          bool
		problems        []string
	}{
		"Label Studio, at 50":                             {50, 50, false, true, nil},
		"a person, after 49 failures":                     {50, 49, true, false, []string{"webhook"}},
		"a person, without a failure":                     {50, 0, true, false, []string{"webhook"}},
		"a person, in a Label Studio that does not count": {0, 60, true, false, []string{"webhook"}},
		"nobody, after 19 failures":                       {50, 19, false, true, nil},
		"nobody, after 20 failures":                       {50, 20, false, true, []string{"webhook deliveries"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.connect()
			r.ls.LimitWebhookFailures(tc.limit)
			r.ls.DropWebhooks(-1)
			for i := range tc.failures { // each is a PROJECT_UPDATED
				_, err := r.studio.PatchProject(t.Context(), r.project, labelstudio.ProjectPatch{MaximumAnnotations: new(1 + i%2)})
				require.NoError(t, err)
			}
			if tc.byHand {
				h := r.hooks()[0]
				h.Active = false
				_, err := r.studio.UpdateWebhook(t.Context(), h)
				require.NoError(t, err)
			}
			r.drain()
			r.look(r.keeper())
			assert.Equal(t, tc.active, r.hooks()[0].Active)
			assert.Equal(t, tc.problems, r.names())
		})
	}
}

// A record that cannot be read keeps hone from nothing else.
func TestDamagedRecordsStopNothing(t *testing.T) {
	r := newRig(t, func(o *Options) {
		o.Records = &book{of: map[event.ProjectID]event.Registration{3: {URL: "http://hone:9090"}}, damaged: errors.New("project 4: damaged record")}
	})
	r.paste()
	r.drain()
	r.look(r.keeper())
	assert.Empty(t, r.names())
}

// One look that misses the backend may have come while it was replaced.
func TestAModelIsDeletedWhenItIsMissingTwice(t *testing.T) {
	records := &book{of: map[event.ProjectID]event.Registration{}}
	var changes []string
	r := newRig(t, func(o *Options) {
		o.Records = records
		o.OnChange = func(_ event.ProjectID, why string) { changes = append(changes, why) }
	})
	b := r.paste()
	r.drain()
	k := r.keeper()
	r.look(k)
	require.NotEmpty(t, records.of[r.project].URL)
	require.NoError(t, admin.DeleteBackend(t.Context(), r.studio, b.ID))
	v := r.look(k)
	assert.False(t, v.next.IsZero(), "it looks again")
	require.NoError(t, r.LeftAlone(r.project))
	before := len(r.writes())
	r.look(k)
	require.ErrorContains(t, r.LeftAlone(r.project), "hone connect --project 1")
	assert.Equal(t, []string{"ML backend"}, r.names())
	assert.Len(t, r.writes(), before, "nothing is written")

	// A hone that starts anew knows it too.
	o := r.o
	again, err := New(t.Context(), o)
	require.NoError(t, err)
	require.Error(t, again.LeftAlone(r.project))
	require.NoError(t, again.Stop(t.Context()))

	r.paste() // somebody adds it by hand
	r.drain()
	r.look(k)
	require.NoError(t, r.LeftAlone(r.project))
	assert.Empty(t, r.names())
	assert.Equal(t, []string{"hone's model was deleted in Label Studio", "it is connected again"}, changes)
}

// Of data of an older hone nothing is remembered.
func TestAProjectThatWasNeverSeenRegisteredIsNotLeftAlone(t *testing.T) {
	r := newRig(t, nil)
	k := r.keeper()
	for range maxUnregisteredChecks + 1 {
		r.look(k)
	}
	require.NoError(t, r.LeftAlone(r.project))
	assert.Empty(t, r.names())
}

func TestAProblemIsToldOnceAndOnceWhenItIsGone(t *testing.T) {
	type told struct {
		name string
		gone bool
	}
	var said []told
	r := newRig(t, func(o *Options) {
		o.OnProblem = func(_ event.ProjectID, b api.Step, gone bool) { said = append(said, told{b.Name, gone}) }
	})
	r.connect()
	r.drain()
	k := r.keeper()
	r.ls.LimitWebhookFailures(50)
	r.ls.DropWebhooks(-1)
	for i := range 30 {
		_, err := r.studio.PatchProject(t.Context(), r.project, labelstudio.ProjectPatch{MaximumAnnotations: new(1 + i%2)})
		require.NoError(t, err)
		if i >= 19 {
			r.look(k) // the figure in its sentence grows
		}
	}
	assert.Equal(t, []told{{"webhook deliveries", false}}, said)
	r.ls.DropWebhooks(0)
	_, err := r.studio.PatchProject(t.Context(), r.project, labelstudio.ProjectPatch{MaximumAnnotations: new(1)})
	require.NoError(t, err)
	r.look(k)
	assert.Equal(t, told{"webhook deliveries", true}, said[len(said)-1])
	assert.Len(t, said, 2)
}

// The check must not undo what a person does to the webhook while it goes on.
func TestTheProbeLeavesTheWebhookAsItIs(t *testing.T) {
	r := newRig(t, nil)
	r.connect()
	h := r.hooks()[0]
	h.AllActions, h.Actions = false, []string{"ANNOTATION_CREATED"}
	stale := h
	h.Active = false
	_, err := r.studio.UpdateWebhook(t.Context(), h)
	require.NoError(t, err)
	require.NoError(t, r.studio.ProbeWebhook(t.Context(), stale))
	assert.Equal(t, h, r.hooks()[0])
	r.ls.SetFault(func(*http.Request) lstest.Fault { return lstest.Fault{Status: http.StatusForbidden} })
	assert.True(t, labelstudio.IsForbidden(r.studio.ProbeWebhook(t.Context(), stale)))
}

func TestDisconnectLeavesNothingOfHone(t *testing.T) {
	r := newRig(t, nil)
	r.connect()
	stopped := false
	rep, err := r.Disconnect(t.Context(), r.project, false, func() { stopped = r.LeftAlone(r.project) != nil })
	require.NoError(t, err)
	assert.False(t, rep.Failed())
	assert.True(t, stopped, "writing had ended before anything was deleted")
	assert.Empty(t, r.hooks())
	assert.Equal(t, labelstudio.SequentialSampling, r.sampling())
	require.Error(t, r.LeftAlone(r.project))
	r.drain()
	before := len(r.writes())
	k := r.keeper()
	r.look(k)
	r.look(k)
	assert.Len(t, r.writes(), before)
	assert.Empty(t, r.names(), "somebody asked for it")
	r.connect()
	require.NoError(t, r.LeftAlone(r.project))
}

// A hone that starts anew logs what is still broken, and tells nobody again; what was mended
// meanwhile it tells.
func TestARestartTellsNothingTwice(t *testing.T) {
	var said []string
	r := newRig(t, func(o *Options) {
		o.Records = &book{of: map[event.ProjectID]event.Registration{}}
		o.OnProblem = func(_ event.ProjectID, b api.Step, gone bool) { said = append(said, fmt.Sprint(b.Name, gone)) }
	})
	r.connect()
	r.drain()
	uniform := labelstudio.UniformSampling
	_, err := r.studio.PatchProject(t.Context(), r.project, labelstudio.ProjectPatch{Sampling: &uniform})
	require.NoError(t, err)
	r.look(r.keeper())
	require.Equal(t, []string{"samplingfalse"}, said)

	restart := func() {
		before := r.Link
		r.Link, err = New(t.Context(), before.o)
		require.NoError(t, err)
		require.NoError(t, before.Stop(t.Context()))
		r.look(r.keeper())
	}
	logged := len(r.log.String())
	restart()
	assert.Equal(t, []string{"samplingfalse"}, said)
	assert.Equal(t, []string{"sampling"}, r.names())
	assert.Contains(t, r.log.String()[logged:], "ignores hone's queue")

	want := labelstudio.UncertaintySampling
	_, err = r.studio.PatchProject(t.Context(), r.project, labelstudio.ProjectPatch{Sampling: &want})
	require.NoError(t, err)
	restart()
	assert.Equal(t, []string{"samplingfalse", "samplingtrue"}, said)
	assert.Empty(t, r.names())
}
