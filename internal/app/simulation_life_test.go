package app_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/pipeline"
)

// life is hone from a start to its end.
type life struct {
	app    *app.App
	dir    string
	dead   atomic.Bool // it was killed: it reaches nothing any more
	next   string      // where its successor finds what was on disk
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	log    *apptest.Log
	// stopping is closed before it is stopped.
	stopping chan struct{}
}

// begin starts a hone on a directory.
func (w *world) begin(dir string) {
	w.t.Helper()
	r := &life{dir: dir, done: make(chan struct{}), stopping: make(chan struct{}), log: &apptest.Log{}}
	logger := logrus.New()
	logger.SetOutput(r.log)
	logger.SetLevel(logrus.InfoLevel)
	a, err := app.New(context.Background(), w.settings(dir), app.Options{Logger: logger, Seams: app.Seams{
		Transport: fromHone{w.network, r},
		Listen:    func(string) (net.Listener, error) { return newNoListener(), nil },
		Store:     func(s learnerStore) learnerStore { return &ledgerSpy{s, w, r} },
		Changes:   func(h pipeline.Handler) pipeline.Handler { return w.disk.batches(r, h) },
		Append:    func(topic string) error { return w.disk.beforeAppend(r, topic) },
		Steps:     40,
		Jitter:    func() float64 { return 0.5 },
	}})
	w.must(err)
	a.Store.DB().NoSync, a.Store.DB().NoGrowSync = true, true // a kill is simulated, by a copy
	r.app = a
	base, beyond, err := a.EventLog.Lanes(string(event.Changes), core.LearnerGroup)
	w.must(err)
	w.disk.begins(base, beyond)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		r.err = a.Run(ctx)
	}()
	w.runs++
	w.hone = r
	w.network.serve(r)
	select {
	case <-a.Ready():
	case <-r.done:
		w.must(fmt.Errorf("hone does not start: %w", r.err))
	case <-time.After(time.Hour):
		w.wrong("hone is not ready after an hour")
	}
}

// stop ends hone as SIGTERM does.
func (w *world) stop() {
	r := w.hone
	w.network.serve(nil)
	failures := w.disk.failures()
	select {
	case <-r.stopping: // the second time
	default:
		close(r.stopping)
	}
	synctest.Wait()
	r.cancel()
	select {
	case <-r.done:
	case <-time.After(time.Hour):
		w.wrong("hone does not stop")
		return
	}
	if r.err != nil && !r.dead.Load() && w.disk.failures() == failures {
		w.wrong("hone stops with an error: %v", r.err)
	}
}

// kill ends hone as a power cut does: what it does from now on, nobody sees, and
// its successor finds the disk as it is at this moment. It may be called inside a
// transaction, which is then lost.
func (w *world) kill(r *life) {
	if r.dead.Swap(true) {
		return
	}
	next := filepath.Join(w.dir, fmt.Sprint(w.runs))
	w.must(os.MkdirAll(next, 0o700))
	files, err := os.ReadDir(r.dir)
	w.must(err)
	for _, f := range files {
		if f.Name() == filepath.Base(r.app.Store.DB().Path()) || f.Name() == "hone.pid" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(r.dir, f.Name()))
		w.must(err)
		w.must(os.WriteFile(filepath.Join(next, f.Name()), b, 0o600))
	}
	var db bytes.Buffer
	w.must(r.app.Store.Backup(&db))
	w.must(os.WriteFile(filepath.Join(next, filepath.Base(r.app.Store.DB().Path())), db.Bytes(), 0o600))
	r.next = next
	w.killed <- r
}

// restart ends hone and starts it again on the same directory, or on what was left
// of it when it was killed meanwhile.
func (w *world) restart() {
	r := w.hone
	w.stop()
	dir := r.dir
	if r.dead.Load() {
		<-w.killed
		w.note("killed")
		w.must(os.RemoveAll(r.dir))
		w.disk.repair()
		dir = r.next
	}
	w.begin(dir)
}

// noListener is an address at which nobody calls.
type noListener struct {
	closed chan struct{}
	once   sync.Once
}

func newNoListener() *noListener { return &noListener{closed: make(chan struct{})} }

func (l *noListener) Accept() (net.Conn, error) {
	<-l.closed
	return nil, net.ErrClosed
}

func (l *noListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *noListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 5), Port: 9090} }
