package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/wire"
)

var errNoAnswer = errors.New("connection refused")

// network is between hone and Label Studio.
type network struct {
	w    *world
	late sync.WaitGroup // webhooks that come after Label Studio gave up on them

	mu      sync.Mutex
	hone    *life
	fates   []fate // of the next webhooks
	excused map[event.ProjectID]int
	heard   [][]byte // bodies of webhooks, those of forgeries not among them
	headers http.Header
	calls   map[string]uint64
	slow    span
	failing span
	stuck   span
	held    event.ProjectID // the project that is stuck
}

// span is how long something goes on.
type span struct {
	until time.Time
	by    time.Duration // the delay, where it is one
}

func (s span) on() bool { return time.Now().Before(s.until) }

// fate is what becomes of a webhook.
type fate struct {
	lost   bool
	twice  time.Duration // again after that
	late   time.Duration // Label Studio gives up, it arrives after that
	answer bool          // hone's answer is lost
}

func (n *network) serve(r *life) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hone = r
}

func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fates, n.slow, n.failing, n.stuck = nil, span{}, span{}, span{}
}

// excuse counts changes that hone need not have heard of.
func (n *network) excuse(p event.ProjectID, changes int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.excused == nil {
		n.excused = map[event.ProjectID]int{}
	}
	n.excused[p] += changes
}

func (n *network) excuses(p event.ProjectID) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.excused[p]
}

// way is how long a request takes, and the chance that it meets. No two things
// should happen at one moment: which of them comes first would be the scheduler's
// choice.
func (n *network) way(r *http.Request) (time.Duration, *rand.Rand) {
	what := r.Method + " " + r.URL.Path
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.calls == nil {
		n.calls = map[string]uint64{}
	}
	n.calls[what]++
	chance := rand.New(rand.NewPCG(n.w.seed^hash(what), n.calls[what]))
	return time.Duration(1 + chance.Int64N(int64(3*time.Millisecond))), chance
}

// pass lets time go by while somebody waits.
func pass(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call reaches hone if it is there.
func (n *network) call(r *http.Request) (*http.Response, error) {
	takes, _ := n.way(r)
	if err := pass(r.Context(), takes); err != nil {
		return nil, err
	}
	n.mu.Lock()
	h := n.hone
	n.mu.Unlock()
	if h == nil || h.dead.Load() {
		return nil, errNoAnswer
	}
	res, err := lstest.Direct(h.app.Engines[0]).RoundTrip(r)
	if h.dead.Load() {
		return nil, errNoAnswer
	}
	return res, err
}

// toHone carries Label Studio's webhooks and calls of its ML backend.
type toHone struct{ *network }

func (n toHone) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/webhook") {
		return n.call(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var f fate
	n.mu.Lock()
	if len(n.fates) > 0 {
		f, n.fates = n.fates[0], n.fates[1:]
	}
	n.heard, n.headers = append(n.heard, body), r.Header.Clone()
	n.mu.Unlock()
	res, err := n.fateful(r, body, f)
	if err != nil || res.StatusCode != http.StatusOK {
		n.excuse(told(body))
	}
	return res, err
}

// told is how many changes a webhook tells of.
func told(body []byte) (event.ProjectID, int) {
	h, err := wire.DecodeHook(body, time.Now())
	if err != nil { // a hostile answer and its task
		var of struct{ Project struct{ ID event.ProjectID } }
		_ = json.Unmarshal(body, &of)
		return of.Project.ID, 2
	}
	if h.Changed == nil {
		return h.Project, 0
	}
	c := h.Changed
	return h.Project, len(c.Tasks) + len(c.Annotations) + len(c.DeletedTasks) + len(c.DeletedAnnotations)
}

func (n toHone) fateful(r *http.Request, body []byte, f fate) (*http.Response, error) {
	switch {
	case f.lost:
		return nil, errNoAnswer
	case f.late > 0:
		n.post(body, f.late)
		<-r.Context().Done()
		return nil, r.Context().Err()
	case f.twice > 0:
		n.post(body, f.twice)
	}
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	res, err := n.call(again)
	if f.answer && err == nil {
		return nil, lstest.ErrCut
	}
	return res, err
}

// post sends a webhook later, as it was or forged.
func (n *network) post(body []byte, after time.Duration) {
	n.late.Go(func() {
		_ = pass(context.Background(), after)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, honeAt+"/webhook", bytes.NewReader(body))
		if err != nil {
			return
		}
		n.mu.Lock()
		req.Header = n.headers.Clone()
		n.mu.Unlock()
		if res, err := n.call(req); err == nil {
			_ = res.Body.Close()
		}
	})
}

// fromHone carries hone's calls, of Label Studio and of itself.
type fromHone struct {
	*network
	by *life
}

func (n fromHone) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == strings.TrimPrefix(honeAt, "http://") {
		return n.call(r)
	}
	if n.by.dead.Load() {
		return nil, errNoAnswer
	}
	wait, chance := n.way(r)
	n.mu.Lock()
	fails, cut := 0, false
	if n.slow.on() {
		wait += time.Duration(chance.Int64N(int64(n.slow.by)))
	}
	if n.stuck.on() && about(r, n.held) {
		wait = time.Until(n.stuck.until)
	}
	if n.failing.on() {
		switch chance.IntN(4) {
		case 0:
			fails = []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusTooManyRequests}[chance.IntN(4)]
		case 1:
			cut = true
		}
	}
	n.mu.Unlock()
	if err := pass(r.Context(), wait); err != nil {
		return nil, err
	}
	if fails != 0 {
		rec := httptest.NewRecorder()
		rec.WriteHeader(fails)
		res := rec.Result()
		res.Request = r
		return res, nil
	}
	res, err := lstest.Direct(n.w.studio.Handler()).RoundTrip(r)
	if cut || n.by.dead.Load() {
		return nil, lstest.ErrCut
	}
	return res, err
}

// about reports whether a request is about a project, as far as its address says.
func about(r *http.Request, p event.ProjectID) bool {
	return r.URL.Query().Get("project") == fmt.Sprint(p) || strings.HasPrefix(r.URL.Path, fmt.Sprintf("/api/projects/%d/", p))
}

func hash(s string) (h uint64) {
	for _, b := range []byte(s) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}
