package labelstudio_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
)

// inMemory is a stand-in without a network, whose clock is the test's.
func inMemory(t *testing.T) (*lstest.Server, *labelstudio.Client) {
	t.Helper()
	s := lstest.NewInMemory("http://studio.example", nil)
	t.Cleanup(s.Close)
	c, err := labelstudio.NewClient(labelstudio.Options{URL: s.URL, Token: lstest.Token, Transport: lstest.Direct(s.Handler())})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return s, c
}

// Label Studio saves the whole row of a project: of two changes at the same time one is lost.
func TestChangesOfOneProjectWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := inMemory(t)
		p, err := c.CreateProject(t.Context(), "topics", choices)
		require.NoError(t, err)
		other, err := c.CreateProject(t.Context(), "other", choices)
		require.NoError(t, err)
		save := make(chan struct{})
		s.OnProjectSave(func(body []byte) {
			if strings.Contains(string(body), "sampling") {
				<-save
			}
		})
		patch := func(p labelstudio.Project, change labelstudio.ProjectPatch) chan error {
			ended := make(chan error, 1)
			go func() {
				_, err := c.PatchProject(t.Context(), p.ID, change)
				ended <- err
			}()
			synctest.Wait()
			return ended
		}
		sampling := patch(p, labelstudio.ProjectPatch{Sampling: new(labelstudio.UncertaintySampling)})
		title := patch(p, labelstudio.ProjectPatch{Title: new("renamed")})
		require.NoError(t, <-patch(other, labelstudio.ProjectPatch{Title: new("renamed too")}), "another project waits for nobody")
		close(save)
		require.NoError(t, <-sampling)
		require.NoError(t, <-title)
		p, err = c.Project(t.Context(), p.ID)
		require.NoError(t, err)
		assert.Equal(t, labelstudio.UncertaintySampling, p.Sampling)
		assert.Equal(t, "renamed", p.Title)
	})
}
