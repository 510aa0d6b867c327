package connect

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
)

// levels are the levels of a report's steps of one name.
func levels(rep api.Report, name string) (out []string) {
	for _, s := range rep.Steps {
		if strings.HasSuffix(s.Name, name) {
			out = append(out, s.Level)
		}
	}
	return out
}

// A project that is polled is ready for hone's queue, and nothing in it calls hone.
func TestConnectPolledRegistersNothing(t *testing.T) {
	r := newRig(t, nil)
	for range 2 { // the second time changes nothing
		p, rep, err := r.ConnectPolled(t.Context(), r.project)
		require.NoError(t, err)
		assert.Equal(t, topics, p.LabelConfig)
		assert.Equal(t, r.project, p.ID)
		assert.False(t, p.CreatedAt.IsZero())
		assert.False(t, rep.Failed())
		assert.Equal(t, []string{"ok"}, levels(rep, "poll"))
		assert.Equal(t, []string{"ok"}, levels(rep, "sampling"))
		assert.Equal(t, []string{"ok"}, levels(rep, "label config"))
		assert.Contains(t, text(rep, "without an ML backend"), "hone prelabel --project 1")
		assert.Empty(t, levels(rep, "suggestions"))
	}
	assert.Equal(t, labelstudio.UncertaintySampling, r.sampling())
	assert.Empty(t, r.hooks())
	backends, err := r.studio.Backends(t.Context(), r.project)
	require.NoError(t, err)
	assert.Empty(t, backends)
	assert.Len(t, r.writes(), 2, "the project was made, and its sampling changed: %v", r.writes())

	_, err = r.studio.PatchProject(t.Context(), r.project, labelstudio.ProjectPatch{ShowPredictions: new(false)})
	require.NoError(t, err)
	_, rep, err := r.ConnectPolled(t.Context(), r.project)
	require.NoError(t, err)
	assert.Equal(t, []string{"warn"}, levels(rep, "suggestions"))
}

func text(rep api.Report, name string) string {
	for _, s := range rep.Steps {
		if strings.HasSuffix(s.Name, name) {
			return s.What + s.Fix
		}
	}
	return ""
}

func TestConnectPolledNamesWhatIsWrong(t *testing.T) {
	status := func(err error) int {
		var f *faultError
		require.ErrorAs(t, err, &f)
		return f.HTTPStatus()
	}
	r := newRig(t, nil)
	_, _, err := r.ConnectPolled(t.Context(), 99)
	assert.Equal(t, http.StatusNotFound, status(err))
	r.ls.SetFault(func(*http.Request) lstest.Fault { return lstest.Fault{Status: http.StatusUnauthorized} })
	_, _, err = r.ConnectPolled(t.Context(), r.project)
	assert.Equal(t, http.StatusBadGateway, status(err))
	require.ErrorContains(t, err, "401")
	r.ls.SetFault(nil)
	_, err = r.studio.PatchProject(t.Context(), r.project, labelstudio.ProjectPatch{LabelConfig: new("<View/>")})
	require.NoError(t, err)
	_, _, err = r.ConnectPolled(t.Context(), r.project)
	assert.Equal(t, http.StatusUnprocessableEntity, status(err))

	nowhere := newRig(t, func(o *Options) { o.URL, o.Token = "", "" })
	_, _, err = nowhere.ConnectPolled(t.Context(), 1)
	assert.Equal(t, http.StatusConflict, status(err))
	require.ErrorIs(t, err, ErrNoCredential)
}

// For the doctor a project that is polled lacks no backend and no webhook; polls that fail
// are a fault with its fix.
func TestDoctorKnowsThatAProjectIsPolled(t *testing.T) {
	st, polled := Polling{Interval: time.Second, Last: time.Now()}, true
	r := newRig(t, func(o *Options) {
		o.Polling = func(event.ProjectID) (Polling, bool) { return st, polled }
	})
	_, _, err := r.ConnectPolled(t.Context(), r.project)
	require.NoError(t, err)
	look := func() api.Report {
		t.Helper()
		rep, err := r.Doctor(t.Context(), r.project)
		require.NoError(t, err)
		return rep
	}
	rep := look()
	assert.Equal(t, []string{"ok"}, levels(rep, ", poll"))
	assert.Equal(t, []string{"ok"}, levels(rep, "sampling"))
	assert.Empty(t, levels(rep, "webhook"))
	assert.NotContains(t, levels(rep, "ML backend"), "fail")

	st.FailingSince, st.Error = time.Now().Add(-time.Minute), "Label Studio answered 503"
	rep = look()
	assert.Equal(t, []string{"fail"}, levels(rep, ", poll"))
	assert.Contains(t, text(rep, ", poll"), "for 1m0s: Label Studio answered 503")
	assert.Contains(t, text(rep, ", poll"), "hone connect --project 1")
	st = Polling{}
	assert.Equal(t, []string{"warn"}, levels(look(), ", poll"))

	// A registration that is there too is checked as everywhere.
	st.Last = time.Now()
	r.connect()
	rep = look()
	assert.Equal(t, []string{"ok"}, levels(rep, ", poll"))
	assert.Equal(t, []string{"ok"}, levels(rep, "webhook"))
	h := r.hooks()[0]
	h.Active = false
	_, err = r.studio.UpdateWebhook(t.Context(), h)
	require.NoError(t, err)
	assert.Equal(t, []string{"fail"}, levels(look(), "webhook"))

	polled = false
	require.NoError(t, r.studio.DeleteWebhook(t.Context(), h.ID))
	rep = look()
	assert.Empty(t, levels(rep, ", poll"))
	assert.Equal(t, []string{"fail"}, levels(rep, "webhook"), "without polls it is missing")
}
