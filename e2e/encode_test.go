//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

// TestEncodesBehindTheLabelling has a person label from the first moment on while
// the transformer goes through 2,000 texts, and goes on labelling after it.
func TestEncodesBehindTheLabelling(t *testing.T) {
	const size = 2_000
	s := newStudio(t)
	h := newHone(t, append(configured(), "HONE_LEARNER_ENCODER=minilm", "HONE_LEARNER_ADAPT=off")...) // TestTheTransformerAdapts has it adapt
	began := time.Now()
	h.start()
	t.Logf("ready %v after the start, with the transformer", time.Since(began).Round(time.Millisecond))
	project := s.newProject(labelConfig(t), together(append(load(t, "tasks.jsonl"), load(t, "test.jsonl")...), 3)[:size])
	s.connectAsUI(project, h.url())
	began = time.Now()
	h.await(project, "the pool is read and the queue stands", func(p api.Project) bool { return p.Pool == size && p.Queue.Pushed >= 5 })
	awaitSettings(t, s, project)

	p := h.status(project)
	if p.Encoding == nil || p.Encoding.Done {
		t.Fatalf("the first task is served with the encoding at %+v; it should be under way", p.Encoding)
	}
	t.Logf("labelling starts %v after hone was connected, with %d of %d texts encoded, %.0f a second", time.Since(began).Round(time.Millisecond), p.Encoding.Encoded, size, p.Encoding.PerSecond)
	labels := 0
	label := func() {
		task := s.next(project)
		s.annotate(task.ID, task.Data.Topic)
		labels++
		p = h.await(project, "the label is learned and the new head is in Label Studio", func(p api.Project) bool {
			return p.Labels == labels && p.Queue.Labels == labels && p.Queue.Pushed >= 1
		})
	}
	before := acks(t, h)
	for label(); !p.Encoding.Done; label() {
	}
	during, meanwhile := acks(t, h), labels
	t.Logf("encoded %v after hone was connected; %d labels learned meanwhile", time.Since(began).Round(time.Millisecond), meanwhile)
	for labels < meanwhile+25 {
		label()
	}
	after := acks(t, h)
	p = h.await(project, "all is settled", func(p api.Project) bool { return p.Settled && p.Encoding.Done })
	if p.Encoding.Encoded != size || p.MissedFound != 0 || len(p.Problems) > 0 {
		t.Errorf("encoded %d of %d, missed %d, problems %q", p.Encoding.Encoded, size, p.MissedFound, p.Problems)
	}
	for _, phase := range []struct {
		what     string
		from, to histogram
	}{{"while it encodes", before, during}, {"after that", during, after}} {
		n, p99 := phase.to.since(phase.from)
		t.Logf("%s: %d webhooks, 99 of 100 acknowledged within %v", phase.what, n, p99)
		// Label Studio gives up after one second.
		if n == 0 || p99 >= time.Second {
			t.Errorf("%s 99 of 100 of %d webhooks are acknowledged within %v, which must be below Label Studio's second", phase.what, n, p99)
		}
	}

	was := metric(t, h, "hone_learner_encoded_total")
	got := h.predict([]string{"a text that no task has: can you wire my savings to another bank account"})
	if now := metric(t, h, "hone_learner_encoded_total"); now != was+1 {
		t.Errorf("/predict on an unseen text: %g texts encoded, want 1", now-was)
	}
	t.Logf("an unseen text is %q (%.2f)", got[0].label, got[0].score)
	if peak := h.peak(); peak > 0 {
		t.Logf("hone's memory at most: %d MB (VmHWM)", peak>>20)
		if peak > 200<<20 {
			t.Errorf("%d MB resident; it should stay below 200", peak>>20)
		}
	}
}

// together are new examples, each of n texts of one label.
func together(all []example, n int) []example {
	byLabel := map[string][]string{}
	for _, e := range all {
		byLabel[e.Label] = append(byLabel[e.Label], e.Text)
	}
	seen := map[string]int{}
	var out []example
	for round := range 2 { // with other neighbours in the second
		for _, e := range all {
			texts, i := byLabel[e.Label], seen[e.Label]
			seen[e.Label]++
			var parts []string
			for j := range n {
				parts = append(parts, texts[(i+j*(round+1))%len(texts)])
			}
			out = append(out, example{strings.Join(parts, ". "), e.Label})
		}
	}
	return out
}

// histogram is how many were at most so long, in rising order, and the last is all.
type histogram []struct {
	le float64
	n  int
}

// since is how many have been counted since, and the bound that 99 of 100 kept.
func (h histogram) since(before histogram) (n int, p99 time.Duration) {
	n = h[len(h)-1].n - before[len(before)-1].n
	for i, b := range h {
		if 100*(b.n-before[i].n) >= 99*n {
			if math.IsInf(b.le, 1) {
				return n, time.Hour
			}
			return n, time.Duration(b.le * float64(time.Second))
		}
	}
	return n, time.Hour
}

func acks(t *testing.T, h *hone) (out histogram) {
	t.Helper()
	for _, line := range metrics(t, h) {
		var le string
		var n int
		if rest, ok := strings.CutPrefix(line, `hone_webhook_ack_seconds_bucket{le="`); ok {
			le, rest, _ = strings.Cut(rest, `"} `)
			n, _ = strconv.Atoi(rest)
			bound, err := strconv.ParseFloat(le, 64) // "+Inf" too
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			out = append(out, struct {
				le float64
				n  int
			}{bound, n})
		}
	}
	if len(out) == 0 {
		t.Fatal("no hone_webhook_ack_seconds among the metrics")
	}
	return out
}

func metric(t *testing.T, h *hone, name string) float64 {
	t.Helper()
	for _, line := range metrics(t, h) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			return v
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func metrics(t *testing.T, h *hone) []string {
	t.Helper()
	resp, err := http.Get(h.url() + "/metrics") //nolint:noctx // short
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(b), "\n")
}

// peak is the most memory the process has held, in bytes, 0 where the system does
// not say.
func (h *hone) peak() (bytes int64) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if n, _ := fmt.Sscanf(s.Text(), "VmHWM: %d kB", &bytes); n == 1 {
			return bytes << 10
		}
	}
	return 0
}
