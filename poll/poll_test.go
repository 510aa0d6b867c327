package poll

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/service/servicetest"
	"github.com/hone-ml/hone/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reader is a Label Studio in which things happen when a test says so.
type reader struct {
	mu       sync.Mutex
	projects []event.ProjectID
	found    map[event.ProjectID]int // what each poll of a project finds
	fail     map[event.ProjectID]error
	takes    map[event.ProjectID]time.Duration
	polls    map[event.ProjectID][]time.Time
	reads    map[event.ProjectID]int // of the project itself
}

func (r *reader) Poll(ctx context.Context, p event.ProjectID) (int, error) {
	r.mu.Lock()
	r.polls[p] = append(r.polls[p], time.Now())
	found, err, takes := r.found[p], r.fail[p], r.takes[p]
	r.mu.Unlock()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(takes):
	}
	return found, err
}

func (r *reader) PollProject(context.Context, event.ProjectID) error { return nil }

func (r *reader) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// requests counts the polls of a project during a time, all of them for 0.
func (r *reader) requests(p event.ProjectID, d time.Duration) int {
	count := func() (n int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for id, polls := range r.polls {
			if p == 0 || id == p {
				n += len(polls)
			}
		}
		return n
	}
	before := count()
	time.Sleep(d) // on the clock of synctest
	synctest.Wait()
	return count() - before
}

// counting counts the reads of projects too.
type counting struct{ *reader }

func (c counting) PollProject(_ context.Context, p event.ProjectID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads[p]++
	return nil
}

func newReader(projects ...event.ProjectID) *reader {
	return &reader{
		projects: projects, found: map[event.ProjectID]int{}, fail: map[event.ProjectID]error{}, takes: map[event.ProjectID]time.Duration{},
		polls: map[event.ProjectID][]time.Time{}, reads: map[event.ProjectID]int{},
	}
}

// play runs a poller on a clock of its own.
func play(t *testing.T, r *reader, test func(t *testing.T, p *Poller, log *logtest.Hook)) {
	synctest.Test(t, func(t *testing.T) {
		logger, hook := logtest.NewNullLogger()
		logger.SetOutput(io.Discard)
		p, err := New(Options{
			Reader: counting{r}, Registerer: prometheus.NewRegistry(), Logger: logrus.NewEntry(logger),
			Projects: func(context.Context) ([]event.ProjectID, error) {
				r.mu.Lock()
				defer r.mu.Unlock()
				return r.projects, nil
			},
		})
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context()))
		test(t, p, hook)
		require.NoError(t, p.Stop(context.Background()))
	})
}

// A quiet project is asked about every two seconds, one in which somebody works every second.
func TestAProjectIsPolledAsOftenAsItIsWorkedIn(t *testing.T) {
	r := newReader(3)
	play(t, r, func(t *testing.T, p *Poller, _ *logtest.Hook) {
		assert.InDelta(t, 30, r.requests(3, time.Minute), 1)
		r.set(func() { r.found[3] = 1 })
		r.requests(3, 4*time.Second)
		assert.InDelta(t, 60, r.requests(3, time.Minute), 1)
		st, ok := p.Status(3)
		require.True(t, ok)
		assert.Equal(t, time.Second, st.Interval)
		r.set(func() { r.found[3] = 0 })
		r.requests(3, 2*time.Minute)
		assert.InDelta(t, 30, r.requests(3, time.Minute), 1)
		r.set(func() {
			assert.InDelta(t, len(r.polls[3])/5, r.reads[3], 1, "the project itself is read with each fifth")
		})
		_, ok = p.Status(4)
		assert.False(t, ok)
	})
}

// All projects share two requests a second. Those in which people work come more often, and
// none is left out.
func TestProjectsShareTheBudget(t *testing.T) {
	r := newReader()
	for id := event.ProjectID(1); id <= 20; id++ {
		r.projects = append(r.projects, id)
	}
	play(t, r, func(t *testing.T, _ *Poller, _ *logtest.Hook) {
		r.requests(0, time.Minute)
		reads := func() (n int) {
			r.set(func() {
				for _, k := range r.reads {
					n += k
				}
			})
			return n
		}
		before := reads()
		polls := r.requests(0, 10*time.Minute)
		assert.InDelta(t, 1200, polls+reads()-before, 3, "two requests a second in all")
		each := map[event.ProjectID]int{}
		r.set(func() {
			for id, at := range r.polls {
				each[id] = len(at)
			}
		})
		for id, n := range each {
			assert.InDelta(t, each[1], n, 1, "project %d is polled as often as the others", id)
		}

		r.set(func() { r.found[7] = 1 })
		r.requests(0, time.Minute)
		r.set(func() { clear(r.polls) })
		r.requests(0, 10*time.Minute)
		r.set(func() {
			assert.Greater(t, len(r.polls[7]), 450, "people work in it: about once a second")
			for id, at := range r.polls {
				if id != 7 {
					assert.Greater(t, len(at), 20, "project %d is not starved", id)
				}
			}
		})
	})
}

// A project that fails is tried ever more rarely, said once, and keeps nobody waiting.
func TestAFailureIsSaidOnceAndStopsNobody(t *testing.T) {
	r := newReader(1, 2)
	r.fail[1] = errors.New("Label Studio answered 503")
	play(t, r, func(t *testing.T, p *Poller, log *logtest.Hook) {
		r.requests(0, time.Hour)
		r.set(func() {
			assert.Less(t, len(r.polls[1]), 70, "no more than about one a minute")
			assert.Greater(t, len(r.polls[1]), 55)
			assert.InDelta(t, 1800, len(r.polls[2]), 40, "the other project is polled as ever")
		})
		st, _ := p.Status(1)
		assert.Equal(t, "Label Studio answered 503", st.Error)
		assert.WithinDuration(t, time.Now().Add(-time.Hour), st.FailingSince, time.Second)
		assert.Zero(t, st.Last)
		assert.Equal(t, []string{"warning"}, levels(log))

		r.set(func() { r.fail[1] = nil })
		r.requests(0, 2*time.Minute)
		st, _ = p.Status(1)
		assert.Empty(t, st.Error)
		assert.Zero(t, st.FailingSince)
		assert.WithinDuration(t, time.Now(), st.Last, 3*time.Second)
		assert.Equal(t, []string{"warning", "info"}, levels(log))
		assert.InDelta(t, 30, r.requests(1, time.Minute), 1, "as often as before")
	})
}

func levels(log *logtest.Hook) (out []string) {
	for _, e := range log.AllEntries() {
		if e.Level <= logrus.InfoLevel {
			out = append(out, e.Level.String())
		}
	}
	return out
}

// A Label Studio that hangs for some projects is waited for by them alone.
func TestProjectsThatHangStopNobody(t *testing.T) {
	r := newReader(1, 2, 3, 4)
	r.takes[1], r.takes[2] = time.Hour, time.Hour
	play(t, r, func(t *testing.T, p *Poller, _ *logtest.Hook) {
		assert.InDelta(t, 300, r.requests(3, 10*time.Minute), 5)
		assert.InDelta(t, 5, len(r.polls[1]), 2, "a project is polled once at a time, for a minute at most")
		st, _ := p.Status(1)
		assert.Contains(t, st.Error, "it took longer than 1m0s")
		r.set(func() { r.takes[4] = time.Hour }) // as many as may be under way
		r.requests(0, time.Minute)
		assert.Greater(t, r.requests(3, 10*time.Minute), 100)
	})
}

// Of a Label Studio that answers slowly polls take a quarter of the time.
func TestASlowLabelStudioIsPolledLess(t *testing.T) {
	r := newReader(1)
	r.takes[1] = time.Second
	play(t, r, func(t *testing.T, _ *Poller, _ *logtest.Hook) {
		assert.InDelta(t, 15, r.requests(1, time.Minute), 1)
	})
}

// What was not read yet is waited for, and no failure; a project that is not to be polled
// any more is left alone, and a new one is taken up.
func TestProjectsComeAndGo(t *testing.T) {
	r := newReader(1)
	r.fail[1] = reconcile.ErrUnread
	play(t, r, func(t *testing.T, p *Poller, log *logtest.Hook) {
		r.requests(0, time.Minute)
		st, _ := p.Status(1)
		assert.Empty(t, st.Error)
		assert.Zero(t, st.Last)
		r.set(func() { r.fail[1] = nil })
		r.requests(0, 5*time.Second)
		st, _ = p.Status(1)
		assert.NotZero(t, st.Last)
		assert.Empty(t, levels(log))

		r.set(func() { r.projects = []event.ProjectID{2} })
		r.requests(0, 2*time.Second)
		assert.Zero(t, r.requests(1, time.Minute))
		assert.InDelta(t, 30, r.requests(2, time.Minute), 1)
		_, ok := p.Status(1)
		assert.False(t, ok)
	})
}

func TestOptionsAreChecked(t *testing.T) {
	list := func(context.Context) ([]event.ProjectID, error) { return nil, nil }
	for _, o := range []Options{{}, {Reader: newReader()}, {Reader: newReader(), Projects: list, Interval: -1}} {
		_, err := New(o)
		require.Error(t, err)
	}
}

func TestStartAndStopInAnyOrder(t *testing.T) {
	servicetest.Stress(t, func(t *testing.T) service.Service {
		r := newReader(1, 2)
		r.takes[1] = time.Hour
		p, err := New(Options{Reader: r, Projects: func(context.Context) ([]event.ProjectID, error) { return r.projects, nil }})
		require.NoError(t, err)
		return p
	})
}
