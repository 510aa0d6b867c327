package state

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
)

func TestRegistrationsOutliveTheProcessAndGoWithTheProject(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	require.NoError(t, err)
	want := event.Registration{URL: "http://hone:9090", CreatedAt: 7, Sampled: true, Sampling: "Sequential sampling", LeftAlone: event.Disconnected}
	require.NoError(t, s.SetRegistration(t.Context(), 3, want))
	require.NoError(t, s.SetRegistration(t.Context(), 4, event.Registration{URL: "x"}))
	metas, err := s.Projects(t.Context())
	require.NoError(t, err)
	assert.Empty(t, metas, "it makes no project known")
	require.NoError(t, s.Close())

	s, err = Open(dir, Options{})
	require.NoError(t, err)
	require.NoError(t, s.Forget(t.Context(), 4))
	got, err := s.Registrations(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[event.ProjectID]event.Registration{3: want}, got)
	require.NoError(t, s.Close())

	s, err = Open(dir, Options{}) // writes the file anew
	require.NoError(t, err)
	got, err = s.Registrations(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[event.ProjectID]event.Registration{3: want}, got)
	require.NoError(t, s.Close())
}
