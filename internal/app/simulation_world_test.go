package app_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/state"
)

const (
	honeAt   = "http://hone.internal:9090"
	studioAt = "http://studio.internal:8080"
	firstly  = 30 // tasks of a project at the start
)

// world is one seed under way. What people do, they do one after the other, in the
// goroutine of the test; all else goes on by itself.
type world struct {
	t    *testing.T
	seed uint64
	dir  string
	say  func(string, ...any)

	studio   *lstest.Server
	user     *labelstudio.Client // a person's browser, which nothing disturbs
	second   *labelstudio.Client // another person's
	projects []event.ProjectID
	network  *network
	disk     *disk
	backup   *lstest.Backup
	clockOK  time.Time // when Label Studio's clock is put right; zero if it is right
	restored time.Time // when Label Studio was last restored; zero if never
	// nightly says that something was made up which only a comparison of contents
	// finds.
	nightly bool
	configs map[event.ProjectID]int
	// retrieved are the tasks of which people asked for predictions, and have to have some.
	retrieved map[event.ProjectID]map[event.TaskID]bool
	set       map[event.ProjectID]map[string]string // the settings that hone has taken
	unsure    map[event.ProjectID]bool              // hone died with a change of settings under way

	hone   *life
	runs   int
	killed chan *life

	mu       sync.Mutex
	symptoms []string
	happened []string
}

func newWorld(t *testing.T, dir string, seed uint64, say func(string, ...any)) *world {
	t.Helper()
	w := &world{
		t: t, seed: seed, dir: dir, say: say, killed: make(chan *life, 1), configs: map[event.ProjectID]int{},
		retrieved: map[event.ProjectID]map[event.TaskID]bool{}, set: map[event.ProjectID]map[string]string{}, unsure: map[event.ProjectID]bool{},
	}
	w.network = &network{w: w}
	w.disk = &disk{w: w}
	w.studio = lstest.NewInMemory(studioAt, toHone{w.network})
	var err error
	w.user, err = labelstudio.NewClient(labelstudio.Options{URL: studioAt, Token: lstest.Token, Transport: lstest.Direct(w.studio.Handler()), Retries: -1})
	w.must(err)
	w.second, err = labelstudio.NewClient(labelstudio.Options{URL: studioAt, Token: secret.Secret(w.studio.AddUser("second@studio.internal")), Transport: lstest.Direct(w.studio.Handler()), Retries: -1})
	w.must(err)
	r := w.rand(0)
	for i := range 2 {
		p, err := w.user.CreateProject(context.Background(), fmt.Sprintf("project %d", i), labelConfigs[i][0])
		w.must(err)
		w.projects = append(w.projects, p.ID)
		w.add(p.ID, firstly, r)
	}
	w.begin(filepath.Join(dir, "0"))
	for _, p := range w.projects {
		rep, err := w.hone.app.Connection.Connect(context.Background(), p, honeAt)
		w.must(err)
		if rep.Failed() {
			t.Fatalf("connect: %+v", rep)
		}
		w.must(w.hone.app.Pipeline.Publish(context.Background(), &event.ReconcileDue{Project: p, At: time.Now(), Reason: "connect"}))
	}
	time.Sleep(time.Minute) // simulated
	w.backup = w.studio.Backup()
	return w
}

// rand is the seed's chance for one purpose.
func (w *world) rand(purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(w.seed, purpose)) }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		if w.hone != nil {
			w.t.Logf("hone's log:\n%s", w.hone.log)
		}
		w.t.Fatalf("seed %d: the simulation itself: %v", w.seed, err)
	}
}

// wrong notes what must not be.
func (w *world) wrong(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.symptoms = append(w.symptoms, fmt.Sprintf(format, args...))
}

// note keeps what happened, with the time, for those who compare two runs.
func (w *world) note(format string, args ...any) {
	s := fmt.Sprintf("%8.3fs ", time.Since(epoch).Seconds()) + fmt.Sprintf(format, args...)
	w.mu.Lock()
	w.happened = append(w.happened, s)
	w.mu.Unlock()
	w.say("%s", s)
}

// epoch is when every bubble of testing/synctest begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (w *world) history() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.happened
}

func (w *world) settings(dir string) config.Config {
	cfg := config.Default()
	cfg.Listen, cfg.DataDir = "10.0.0.5:9090", dir
	cfg.LabelStudio.URL, cfg.LabelStudio.APIKey = studioAt, lstest.Token
	cfg.Webhook.Secret = "a-webhook-secret"
	cfg.Learner.Encoder = "hashed"
	if w.seed%4 == 0 {
		cfg.Learner.Encoder = "static"
	}
	cfg.Sampler.Queue, cfg.Sampler.Head, cfg.Sampler.BulkAbove = 10, 3, 6
	cfg.LabelStudio.PollInterval = 20 * time.Second // hours pass
	cfg.Cron.Reconcile, cfg.Cron.FullReconcile, cfg.Cron.Retrain = "@every 5m", "@every 20m", "off"
	cfg.Cron.Timezone = "UTC"
	return cfg
}

// rest lets time pass. A hone that dies meanwhile is started again.
func (w *world) rest(d time.Duration) {
	until := time.After(d)
	for {
		select {
		case <-until:
			return
		case r := <-w.killed:
			w.killed <- r
			w.restart()
		case <-w.hone.done:
			if w.hone.dead.Load() {
				w.restart()
				continue
			}
			if len(w.symptoms) == 0 {
				w.wrong("hone ended by itself: %v", w.hone.err)
			}
			return
		}
	}
}

func (w *world) end() {
	w.disk.repair()
	w.network.heal()
	w.stop()
	w.network.late.Wait()
	w.user.Close()
	w.second.Close()
	w.studio.Close()
	if len(w.symptoms) > 0 {
		w.say("hone's log:\n%s", w.hone.log)
	}
}

// stored is what hone holds of a project.
func (w *world) stored(p event.ProjectID) []event.TaskState {
	ts, err := w.hone.app.Store.Tasks(context.Background(), p, nil)
	if err != nil && !errors.Is(err, state.ErrUnknownProject) {
		w.must(err)
	}
	return ts
}

// there is what Label Studio holds of a project.
func (w *world) there(p event.ProjectID) []labelstudio.Task {
	page, err := w.user.TasksPage(context.Background(), p, labelstudio.TaskQuery{PageSize: 10_000})
	w.must(err)
	return page.Tasks
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
