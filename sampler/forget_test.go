package sampler

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
)

// Nothing is written to a project that is left alone, and a push that goes on ends; once it
// is not any more, Refresh begins again.
func TestAProjectThatIsLeftAloneIsNotWrittenTo(t *testing.T) {
	var alone atomic.Bool
	change := func(o *Options, _ *bench) {
		o.LeftAlone = func(event.ProjectID) error {
			if alone.Load() {
				return errors.New("it is disconnected")
			}
			return nil
		}
	}
	run(t, 40, change, func(b *bench) {
		b.label()
		b.after(300 * time.Millisecond) // in the middle of the first push
		alone.Store(true)
		b.s.Refresh(project)
		b.after(time.Second)
		before := b.ls.writes()
		require.Positive(t, before)
		require.Less(t, before, 30)
		b.label(3)
		b.after(time.Hour)
		assert.Equal(t, before, b.ls.writes())
		st, _ := b.s.Status(project)
		assert.Equal(t, "it is disconnected", st.Note)
		assert.NotEmpty(t, st.Queue, "it is ranked all the same")
		alone.Store(false)
		b.s.Refresh(project)
		b.after(time.Minute)
		b.inStep()
		st, _ = b.s.Status(project)
		assert.Empty(t, st.Note)
	})
}

func TestAForgottenProjectHasNoWorker(t *testing.T) {
	run(t, 40, nil, func(b *bench) {
		b.label()
		b.after(300 * time.Millisecond)
		require.NoError(t, b.s.Forget(b.Context(), project))
		before := b.ls.writes()
		b.after(time.Hour)
		assert.Equal(t, before, b.ls.writes())
		_, known := b.s.Status(project)
		assert.False(t, known)
		require.NoError(t, b.s.Forget(b.Context(), project), "twice is harmless")
		b.label(1) // it is heard of again
		b.after(time.Minute)
		b.inStep()
	})
}
