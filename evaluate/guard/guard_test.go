package guard

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/service/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeHone is all that a Guard needs, of any project. Each call of Contest makes the trials.
type fakeHone struct {
	mu       sync.Mutex
	labels   int
	strategy string
	share    float64
	stored   map[event.ProjectID]event.Comparison
	puts     int
	trials   []event.Trial
	controls []string
	key      string
	more     int // of how many calls there is more to do
	newest   event.AnnotationID
	entrants []event.Entrants
	onTrials func() // nil, or called in the middle of a contest
	fail     error
	left     []event.ProjectID
}

func newFake() *fakeHone {
	return &fakeHone{strategy: "margin", share: 0.1, stored: map[event.ProjectID]event.Comparison{}, controls: []string{"topic"}, key: "k"}
}

func (f *fakeHone) Progress(event.ProjectID) (labels int, snapshot uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.labels, uint64(f.labels)
}

func (f *fakeHone) Contest(_ context.Context, _ event.ProjectID, of event.Entrants) (event.Contest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entrants = append(f.entrants, of)
	out := event.Contest{Newest: f.newest}
	for i, c := range f.controls {
		one := event.ControlContest{Control: c, Key: f.key, Tried: of.Tried[c] + 1, More: f.more > 0, Random: 10, Asked: 90}
		if len(of.Random) > 0 && i == 0 {
			one.Trials = f.trials
		}
		out.Controls = append(out.Controls, one)
	}
	f.more--
	if f.onTrials != nil && len(of.Random) > 0 {
		f.mu.Unlock()
		f.onTrials()
		f.mu.Lock()
	}
	return out, f.fail
}

func (f *fakeHone) Acquisitions(context.Context, event.ProjectID) (map[event.TaskID]event.Acquisition, error) {
	return map[event.TaskID]event.Acquisition{1: {Random: true, Place: 1}, 2: {Place: 2, Strategy: "margin"}, 3: {}}, nil
}

func (f *fakeHone) Comparison(_ context.Context, p event.ProjectID) (event.Comparison, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stored[p], nil
}

func (f *fakeHone) PutComparison(_ context.Context, p event.ProjectID, c event.Comparison) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stored[p], f.puts = c, f.puts+1
	return f.fail
}

func (f *fakeHone) Asking(event.ProjectID) (string, float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.strategy, f.share
}

func (f *fakeHone) onLeft(p event.ProjectID) { f.left = append(f.left, p) }

func newGuard(t *testing.T, f *fakeHone, o Options) *Guard {
	t.Helper()
	o.Models, o.Store, o.Settings, o.OnLeft = f, f, f, f.onLeft
	g, err := New(o)
	require.NoError(t, err)
	return g
}

// look has a guard look at project 7 after more labels.
func (f *fakeHone) look(t *testing.T, g *Guard, labels int, trials ...event.Trial) Status {
	t.Helper()
	f.mu.Lock()
	f.labels += labels
	f.trials = trials
	f.mu.Unlock()
	require.NoError(t, g.Check(t.Context(), 7))
	st, err := g.Status(t.Context(), 7)
	require.NoError(t, err)
	return st
}

var (
	worse  = event.Trial{Random: true}
	better = event.Trial{Asked: true}
	same   = event.Trial{Asked: true, Random: true}
)

func many(n int, trial event.Trial) (out []event.Trial) {
	for range n {
		out = append(out, trial)
	}
	return out
}

// A strategy that is worse is left, once, with its figures in status, log and metrics; a restart
// changes nothing; and whoever names it again has it compared anew.
func TestAWorseStrategyIsLeftUntilSomebodyNamesIt(t *testing.T) {
	f := newFake()
	var log bytes.Buffer
	logger := logrus.New()
	logger.SetOutput(&log)
	registry := prometheus.NewRegistry()
	g := newGuard(t, f, Options{Logger: logrus.NewEntry(logger), Registerer: registry})
	st := f.look(t, g, 0)
	assert.Equal(t, Comparing, st.State)
	assert.Empty(t, st.Controls)
	assert.Equal(t, "margin", g.Strategy(7, "margin"))

	st = f.look(t, g, 10, many(4, worse)...)
	require.Len(t, st.Controls, 1)
	assert.Equal(t, Comparing, st.State)
	assert.Equal(t, 4, st.Controls[0].Trials)
	assert.Equal(t, []int{10, 90}, []int{st.Random, st.Asked})
	assert.Equal(t, event.Entrants{Random: []event.TaskID{1}, Asked: []event.TaskID{2}, Tried: map[string]event.AnnotationID{}}, f.entrants[1], "task 3 was not asked for")

	st = f.look(t, g, 20, append(many(20, worse), many(6, same)...)...)
	assert.Equal(t, Left, st.State)
	assert.Equal(t, []event.ProjectID{7}, f.left)
	require.NotNil(t, st.Left)
	assert.Equal(t, 30, st.Left.Labels)
	assert.InDelta(t, -24.0/30, st.Controls[0].Asked-st.Controls[0].Random, 1e-9)
	assert.Negative(t, st.Left.High)
	for _, part := range []string{"margin was left for random after 30 labels", "of 30 random answers to topic", "predicted 1.00", "asked for 0.20", "-0.80", "strategy=margin` goes back"} {
		assert.Contains(t, st.Reason, part)
	}
	assert.Equal(t, "random", g.Strategy(7, "margin"))
	assert.Equal(t, "coverage", g.Strategy(7, "coverage"), "another was never compared")
	assert.Equal(t, "margin", g.Strategy(8, "margin"), "nor in another project")
	assert.Equal(t, map[string]float64{"hone_strategy_left": 1, "hone_strategy_trials": 30, "hone_strategy_difference": -0.8}, gauges(t, registry))

	// Nothing is compared any more, nor after a restart.
	calls := len(f.entrants)
	f.look(t, g, 50, many(100, better)...)
	again := newGuard(t, f, Options{Logger: logrus.NewEntry(logger)})
	assert.Equal(t, st, f.look(t, again, 50, many(100, better)...))
	assert.Len(t, f.entrants, calls)
	assert.Equal(t, 1, strings.Count(log.String(), "was left"))

	f.newest = 400
	require.NoError(t, again.Restart(t.Context(), 7))
	assert.Equal(t, "margin", again.Strategy(7, "margin"))
	st = f.look(t, again, 0)
	assert.Equal(t, Comparing, st.State)
	assert.Empty(t, st.Controls)
	st = f.look(t, again, 10, many(3, worse)...)
	assert.Equal(t, 3, st.Controls[0].Trials)
	assert.Equal(t, event.AnnotationID(400), f.entrants[len(f.entrants)-1].After, "answers of before do not count")
	g.Forget(7)
	assert.Empty(t, gauges(t, registry))
}

// gauges are all that are registered.
func gauges(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.Metric {
			out[f.GetName()] = m.GetGauge().GetValue()
		}
	}
	return out
}

// Another strategy begins from nothing, and so does a control that asks something else.
func TestAnotherQuestionIsComparedAnew(t *testing.T) {
	f := newFake()
	g := newGuard(t, f, Options{})
	f.look(t, g, 0)
	st := f.look(t, g, 5, many(5, worse)...)
	require.Len(t, st.Controls, 1)
	f.key = "other labels"
	st = f.look(t, g, 5, many(2, worse)...)
	assert.Equal(t, 2, st.Controls[0].Trials)
	f.strategy = "coverage"
	st, err := g.Status(t.Context(), 7)
	require.NoError(t, err)
	assert.Equal(t, Status{State: Comparing, Strategy: "coverage"}, st)
	st = f.look(t, g, 0)
	assert.Empty(t, st.Controls)
	st = f.look(t, g, 5, many(2, better)...)
	assert.Equal(t, 2, st.Controls[0].Trials)
}

// Of several controls any one may give the verdict, with its part of the level.
func TestEachOfSeveralControlsCounts(t *testing.T) {
	trials := map[int]int{}
	for _, controls := range [][]string{{"a"}, {"a", "b", "c"}} {
		f := newFake()
		f.controls = controls
		g := newGuard(t, f, Options{})
		f.look(t, g, 0)
		for n := 1; n < 50; n++ {
			if st := f.look(t, g, 5, worse, same, same, same, same, same); st.State == Left {
				assert.Equal(t, "a", st.Left.Control)
				trials[len(controls)] = st.Left.Trials
				break
			}
		}
	}
	assert.Greater(t, trials[3], trials[1])
	assert.GreaterOrEqual(t, trials[1], minTrials)
	t.Logf("left after %d trials, with three controls after %d", trials[1], trials[3])
}

// However clear it is, a handful of trials is no reason to leave a strategy.
func TestAHandfulOfTrialsIsNoVerdict(t *testing.T) {
	f := newFake()
	g := newGuard(t, f, Options{})
	f.look(t, g, 0)
	assert.Equal(t, Comparing, f.look(t, g, 5, many(minTrials-1, worse)...).State)
	assert.Equal(t, Left, f.look(t, g, 5, worse).State)
}

func TestWithoutRandomAnswersOrStrategyThereIsNoGuard(t *testing.T) {
	for _, c := range []struct {
		strategy string
		share    float64
		why      string
	}{{"random", 0.1, "the strategy is random"}, {"margin", 0, "random_share is 0"}, {"margin", 1, "random_share is 1"}} {
		f := newFake()
		f.strategy, f.share = c.strategy, c.share
		g := newGuard(t, f, Options{})
		st := f.look(t, g, 100, many(100, worse)...)
		assert.Equal(t, Off, st.State)
		assert.Contains(t, st.Reason, c.why)
		assert.Equal(t, 0, f.puts)
		assert.Empty(t, f.entrants)
	}
}

// A comparison that was begun anew in the middle of a contest does not get its trials, nor its verdict.
func TestWhatWasBegunAnewMeanwhileStays(t *testing.T) {
	f := newFake()
	g := newGuard(t, f, Options{})
	f.look(t, g, 0)
	f.onTrials = func() { require.NoError(t, g.Restart(t.Context(), 7)) }
	st := f.look(t, g, 10, many(60, worse)...)
	assert.Equal(t, Comparing, st.State)
	assert.Empty(t, st.Controls)
	assert.Empty(t, f.left)
}

// With many labels one more is no reason to look; what is left over is done at once; and of ids that
// begin anew the first counts.
func TestLooksAreSpread(t *testing.T) {
	f := newFake()
	f.newest = 1000
	g := newGuard(t, f, Options{})
	f.look(t, g, 0)
	f.newest = 5
	for n := range 600 {
		before := len(f.entrants)
		f.look(t, g, 1)
		if looks := len(f.entrants) - before; n < 50 && looks != 1 || looks > 1 {
			t.Fatalf("%d looks at label %d", looks, n+1)
		}
	}
	assert.Less(t, len(f.entrants), 250)
	assert.Equal(t, event.AnnotationID(1000), f.entrants[1].After)
	assert.Equal(t, event.AnnotationID(5), f.entrants[2].After)
	before := len(f.entrants)
	f.more = 3
	f.look(t, g, 20, same)
	assert.Len(t, f.entrants, before+4)
	require.Len(t, f.stored[7].Controls, 1)
	assert.Equal(t, "bbbb", f.stored[7].Controls["topic"].Trials)
}

func TestLabelsSaved(t *testing.T) {
	// rising is a curve that reaches its height after n trials.
	rising := func(after int, trials []event.Trial, of func(*event.Trial) *bool) {
		for i := range trials {
			*of(&trials[i]) = i%10 < 9*min(i, after)/after || i%10 == 0
		}
	}
	letters := func(asked, random int) string {
		trials := many(200, event.Trial{})
		rising(asked, trials, func(t *event.Trial) *bool { return &t.Asked })
		rising(random, trials, func(t *event.Trial) *bool { return &t.Random })
		var b strings.Builder
		for _, x := range trials {
			b.WriteByte(letterOf(x))
			assert.Equal(t, x, trialOf(letterOf(x)))
		}
		return b.String()
	}
	assert.Nil(t, saved(letters(50, 100)[:minSaved-1]))
	fast, slow := saved(letters(50, 100)), saved(letters(100, 50))
	assert.InDelta(t, 100, *fast, 6, "twice as fast")
	assert.Equal(t, *fast, -*slow)
	assert.Zero(t, *saved(letters(80, 80)))
}

// However often a project is asked about, the others have their turns, and a failure is of one
// project.
func TestProjectsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		g := newGuard(t, f, Options{Now: time.Now})
		f.fail = errors.New("disk")
		g.Ask(1)
		require.NoError(t, g.Start(t.Context()))
		defer func() { require.NoError(t, g.Stop(context.WithoutCancel(t.Context()))) }()
		synctest.Wait()
		f.mu.Lock()
		f.fail = nil
		maps.DeleteFunc(f.stored, func(event.ProjectID, event.Comparison) bool { return true })
		f.mu.Unlock()
		for _, p := range []event.ProjectID{3, 1, 2} {
			g.Ask(p)
		}
		synctest.Wait()
		for p := range event.ProjectID(3) {
			c, err := f.Comparison(t.Context(), p+1)
			require.NoError(t, err)
			assert.Equal(t, "margin", c.Strategy)
		}
	})
}

func TestStartAndStopInAnyOrder(t *testing.T) {
	servicetest.Stress(t, func(t *testing.T) service.Service {
		g := newGuard(t, newFake(), Options{})
		g.Ask(1)
		return g
	})
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	_, err := New(Options{})
	assert.EqualError(t, err, "guard: Models, Store and Settings are needed")
}
