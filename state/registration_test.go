package state

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

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

func TestADamagedRegistrationHidesNoOther(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	want := event.Registration{URL: "http://hone:9090"}
	require.NoError(t, s.SetRegistration(t.Context(), 3, want))
	require.NoError(t, s.SetRegistration(t.Context(), 4, want))
	require.NoError(t, s.db.Update(func(tx *bbolt.Tx) error {
		b, err := createProject(tx, 4)
		if err != nil {
			return err
		}
		return b.project.Put(keyRegistration, []byte("{"))
	}))
	got, err := s.Registrations(t.Context())
	require.ErrorIs(t, err, errDamagedRecord)
	assert.ErrorContains(t, err, "project 4")
	assert.Equal(t, map[event.ProjectID]event.Registration{3: want}, got)
}
