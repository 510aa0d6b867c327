//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

// plainStudio is a Label Studio as it comes: it blocks private addresses, so that it does not
// reach hone, and takes personal access tokens only.
func plainStudio(t *testing.T) (v *server, s *studio) {
	t.Helper()
	v = &server{t: t, dir: t.TempDir(), options: []string{"--plain"}}
	v.up()
	t.Cleanup(v.down)
	s = &studio{t: t, url: v.url, http: &http.Client{Timeout: time.Minute}}
	var out struct{ Access string }
	s.do("POST", "/api/token/refresh/", map[string]string{"refresh": v.token}, &out) // it lives five minutes
	s.auth = "Bearer " + out.Access
	return v, s
}

// TestPoll: hone learns from a Label Studio that does not reach it. 30 tasks are labelled,
// each time the one that Label Studio serves next, and the order follows within three
// seconds. People who label notice nothing of the polls.
func TestPoll(t *testing.T) {
	const size, labels = 300, 30
	v, s := plainStudio(t)
	h := newHone(t, "LABEL_STUDIO_URL="+v.url, "LABEL_STUDIO_API_KEY="+v.token, "HONE_LEARNER_ENCODER=static")
	h.start()
	tasks := load(t, "tasks.jsonl")[:size]
	project, other := s.newProject(labelConfig(t), tasks), s.newProject(labelConfig(t), tasks)

	if out, err := h.run("connect", "--project", fmt.Sprint(project)); err == nil || !strings.Contains(out, "reserved network address") {
		t.Fatalf("Label Studio was to block hone's address: %v\n%s", err, out)
	}
	out, err := h.run("connect", "--project", fmt.Sprint(project), "--poll")
	if err != nil {
		t.Fatalf("connect --poll: %v\n%s", err, out)
	}
	t.Logf("hone connect --poll:\n%s", out)
	h.await(project, "the pool is read and the first queue stands in Label Studio", func(p api.Project) bool {
		return p.Pool == size && p.Settled && p.Queue.Pushed == len(p.Queue.Tasks) && p.Queue.Pushed > 0
	})
	awaitSettings(t, s, project)

	var taken, asked []time.Duration
	served := 0
	for i := range labels {
		before := headOf(h.status(project))
		began := time.Now()
		task := s.next(project)
		fetched := time.Since(began)
		if before != 0 && task.ID == before {
			served++
		}
		began = time.Now()
		s.annotate(task.ID, task.Data.Topic)
		accepted := time.Now()
		asked = append(asked, fetched+accepted.Sub(began))
		h.await(project, "the label is learned and the next task follows", func(p api.Project) bool {
			return p.Labels == i+1 && p.Queue.Labels == i+1 && p.Queue.Pushed >= 1 && headOf(p) != task.ID
		})
		taken = append(taken, time.Since(accepted))
	}
	slices.Sort(taken)
	t.Logf("label accepted by Label Studio -> the next queue stands in it, %d tasks, %d labels: p50 %v, p90 %v, max %v; %d served as ranked",
		size, labels, median(taken), taken[len(taken)*9/10].Round(time.Millisecond), taken[len(taken)-1].Round(time.Millisecond), served)
	// On a machine on which Label Studio alone needs a second for a label, all takes longer.
	if limit := max(3*time.Second, 6*median(asked)); median(taken) > limit {
		t.Errorf("half of the labels took longer than %v: p50 %v", limit, median(taken))
	}
	if served < labels/2 {
		t.Errorf("only %d of %d tasks were served in hone's order", served, labels)
	}

	p := h.await(project, "hone settles", func(p api.Project) bool { return p.Settled && p.Queue.Pushed == len(p.Queue.Tasks) })
	if p.Connection != "poll" || p.MissedFound != 0 || len(p.Problems) > 0 {
		t.Errorf("connection %q, %d missed, problems %q", p.Connection, p.MissedFound, p.Problems)
	}
	comparePolled(t, s, h, other, asked)
	reportIdle(t, h)
	if out, err := h.run("doctor", "--project", fmt.Sprint(project)); err != nil {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	findEverything(t, s, h)
}

// comparePolled compares Label Studio's response times with those while hone does not poll:
// in turns a person labels two tasks of another project while hone polls, and two while it is
// stopped. A label is two requests, for the next task and for its answer.
func comparePolled(t *testing.T, s *studio, h *hone, other int, asked []time.Duration) {
	t.Helper()
	times := map[bool][]time.Duration{}
	for turn := range 16 {
		polling := turn%2 == 0
		if polling {
			_ = h.cmd.Process.Signal(syscall.SIGCONT)
		} else {
			_ = h.cmd.Process.Signal(syscall.SIGSTOP)
		}
		for range 2 {
			began := time.Now()
			task := s.next(other)
			s.annotate(task.ID, task.Data.Topic)
			times[polling] = append(times[polling], time.Since(began))
		}
	}
	_ = h.cmd.Process.Signal(syscall.SIGCONT)
	with, without := median(times[true]), median(times[false])
	ratio := float64(with) / float64(without)
	t.Logf("Label Studio's response times for a label, p50 of %d: %v with polls, %v without: %.2f times; %v while the polled project was labelled and its queue written",
		len(times[true]), with, without, ratio, median(asked))
	if ratio > 1.6 { // 1.2 is the goal; a busy machine says more
		t.Errorf("polls make Label Studio %.2f times as slow", ratio)
	}
}

// reportIdle says how many polls hone makes while nothing happens.
func reportIdle(t *testing.T, h *hone) {
	t.Helper()
	first, began := h.polls(), time.Now()
	until(t, time.Minute, "polls go on", func() bool { return h.polls() >= first+4 })
	t.Logf("while nothing happens: %d polls in %v", h.polls()-first, time.Since(began).Round(10*time.Millisecond))
}

var pollsLine = regexp.MustCompile(`(?m)^hone_polls_total\{result="[a-z]+"\} (\d+)$`)

// polls counts the polls so far.
func (h *hone) polls() (sum int) {
	h.t.Helper()
	resp, err := h.get("/metrics")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, m := range pollsLine.FindAllSubmatch(b, -1) {
		n, _ := strconv.Atoi(string(m[1]))
		sum += n
	}
	return sum
}

func median(of []time.Duration) time.Duration {
	of = slices.Clone(of)
	slices.Sort(of)
	return of[len(of)/2].Round(time.Millisecond)
}

// findEverything makes each kind of change in a polled project, and waits until it reaches
// hone.
func findEverything(t *testing.T, s *studio, h *hone) {
	t.Helper()
	tasks := load(t, "tasks.jsonl")
	project := s.newProject(labelConfig(t), tasks[:40])
	if out, err := h.run("connect", "--project", fmt.Sprint(project), "--poll"); err != nil {
		t.Fatalf("connect --poll: %v\n%s", err, out)
	}
	h.await(project, "the pool is read", func(p api.Project) bool { return p.Pool == 40 && p.Settled })
	var page struct{ Tasks []lsTask }
	s.do("GET", fmt.Sprintf("/api/tasks?project=%d&page_size=40", project), nil, &page)
	after := func(what string, cond func(api.Project) bool) {
		t.Helper()
		began := time.Now()
		h.await(project, what, cond)
		t.Logf("%s after %v", what, time.Since(began).Round(10*time.Millisecond))
	}
	a := s.annotate(page.Tasks[0].ID, page.Tasks[0].Data.Topic)
	s.annotate(page.Tasks[1].ID, page.Tasks[1].Data.Topic)
	after("two labels", func(p api.Project) bool { return p.Labels == 2 })
	s.do("PATCH", fmt.Sprintf("/api/annotations/%d/", a), map[string]any{"was_cancelled": true, "result": []any{}}, nil)
	after("a label became a skip", func(p api.Project) bool { return p.Labels == 1 && p.Skipped == 1 })
	s.do("DELETE", fmt.Sprintf("/api/annotations/%d/", a), nil, nil)
	after("a deleted skip", func(p api.Project) bool { return p.Skipped == 0 })
	s.importTasks(project, tasks[40:50])
	after("new tasks", func(p api.Project) bool { return p.Tasks == 50 })
	s.do("DELETE", fmt.Sprintf("/api/tasks/%d/", page.Tasks[5].ID), nil, nil)
	after("a deleted task", func(p api.Project) bool { return p.Tasks == 49 })
	before := len(h.status(project).Heads[0].Labels)
	config := strings.Replace(labelConfig(t), "</Choices>", `<Choice value="something new"/></Choices>`, 1)
	s.do("PATCH", fmt.Sprintf("/api/projects/%d/", project), map[string]string{"label_config": config}, nil)
	after("a new label in the config", func(p api.Project) bool {
		return len(p.Heads) == 1 && len(p.Heads[0].Labels) == before+1
	})
	if p := h.status(project); p.MissedFound != 0 || len(p.Problems) > 0 {
		t.Errorf("%d missed, problems %q", p.MissedFound, p.Problems)
	}
}
