package connect

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// undo has somebody rename the project each time when its sampling is set, the first times
// times. Label Studio reads the project's row for it before the sampling is saved, and saves
// the row before the project is next read: the sampling is lost.
func (r *rig) undo(times int) {
	var mu sync.Mutex
	var save chan struct{} // closed when the rename under way may be saved; nil: there is none
	var renames sync.WaitGroup
	read := make(chan struct{}, times)
	r.ls.OnProjectSave(func(body []byte) {
		mu.Lock()
		if strings.Contains(string(body), "title") {
			until := save
			mu.Unlock()
			read <- struct{}{}
			<-until
			return
		}
		defer mu.Unlock()
		if times == 0 || !strings.Contains(string(body), "sampling") {
			return
		}
		times--
		save = make(chan struct{})
		renames.Go(func() {
			assert.NoError(r.t, admin.PatchProject(r.t.Context(), r.studio, r.project, labelstudio.ProjectPatch{Title: new("renamed")}))
		})
		mu.Unlock()
		<-read
		mu.Lock()
	})
	finish := func() {
		mu.Lock()
		if save != nil {
			close(save)
			save = nil
		}
		mu.Unlock()
		renames.Wait()
	}
	r.ls.SetFault(func(q *http.Request) lstest.Fault {
		if q.Method == http.MethodGet && q.URL.Path == "/api/projects/1/" {
			finish()
		}
		return lstest.Fault{}
	})
	r.t.Cleanup(finish)
}

func TestLostSamplingIsSetAgain(t *testing.T) {
	for name, set := range map[string]func(*rig){
		"connected": func(r *rig) {
			rep := r.connect()
			assert.False(r.t, rep.Failed(), "%+v", rep)
			_, found := step(rep, "sampling")
			assert.False(r.t, found, "%+v", rep)
		},
		"pasted": func(r *rig) { r.paste(); r.look(r.keeper()) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.undo(1)
			set(r)
			require.Equal(t, labelstudio.UncertaintySampling, r.sampling())
			p, err := r.studio.Project(t.Context(), r.project)
			require.NoError(t, err)
			assert.Equal(t, "renamed", p.Title)
			r.look(r.keeper())
			assert.Empty(t, r.Problems(r.project))
		})
	}
}

func TestSamplingIsNotSetForEver(t *testing.T) {
	r := newRig(t, nil)
	r.undo(maxSamplingTries)
	s, found := step(r.connect(), "sampling")
	require.True(t, found)
	assert.Equal(t, "warn", s.Level)
	assert.Contains(t, s.What, "was lost")
	assert.Contains(t, s.Fix, "hone connect")
	require.Equal(t, labelstudio.SequentialSampling, r.sampling())
	r.look(r.keeper())
	assert.Equal(t, labelstudio.UncertaintySampling, r.sampling(), "hone has not seen it set, so nobody has set it back")
}

// What is read back may be what somebody has chosen meanwhile.
func TestSamplingThatIsChosenMeanwhileStays(t *testing.T) {
	r := newRig(t, nil)
	chosen := false
	r.ls.SetFault(func(q *http.Request) lstest.Fault {
		if q.Method == http.MethodGet && q.URL.Path == "/api/projects/1/" && !chosen && r.patched() {
			chosen = true
			assert.NoError(t, admin.PatchProject(t.Context(), r.studio, r.project, labelstudio.ProjectPatch{Sampling: new(labelstudio.UniformSampling)}))
		}
		return lstest.Fault{}
	})
	s, found := step(r.connect(), "sampling")
	require.True(t, found)
	assert.Contains(t, s.What, labelstudio.UniformSampling)
	r.look(r.keeper())
	assert.Equal(t, labelstudio.UniformSampling, r.sampling())
}

// patched reports whether somebody has changed the project.
func (r *rig) patched() bool {
	for _, q := range r.writes() {
		if q.Method == http.MethodPatch && q.Path == "/api/projects/1/" {
			return true
		}
	}
	return false
}

// hone sets the sampling once, also when it was stopped before it read it back.
func TestSamplingThatSomebodySetsBackStays(t *testing.T) {
	r := newRig(t, nil)
	r.paste()
	broken := true
	r.ls.SetFault(func(q *http.Request) (f lstest.Fault) {
		if broken && q.Method == http.MethodGet && q.URL.Path == "/api/projects/1/" && r.patched() {
			f.Status = http.StatusInternalServerError
		}
		return f
	})
	k := r.keeper()
	v := r.look(k)
	require.Equal(t, 1, v.failures, "what was set is not read back")
	broken = false
	r.look(k) // now it is
	require.NoError(t, admin.PatchProject(t.Context(), r.studio, r.project, labelstudio.ProjectPatch{Sampling: new(labelstudio.SequentialSampling)}))
	r.look(k)
	assert.Equal(t, labelstudio.SequentialSampling, r.sampling())
	assert.NotEmpty(t, r.Problems(r.project))
}

func TestSamplingIsSetBackAlthoughItWasLost(t *testing.T) {
	r := newRig(t, nil)
	r.connect()
	r.undo(1)
	_, err := r.Disconnect(t.Context(), r.project, false, func() {})
	require.NoError(t, err)
	assert.Equal(t, labelstudio.SequentialSampling, r.sampling())
}
