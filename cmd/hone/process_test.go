package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/internal/newslike"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/state"
)

// BenchmarkProcess starts hone as a process of its own: the time until /health
// answers, and the memory it holds then and, at most, when it has encoded the texts
// of 500 tasks and answered for one more.
func BenchmarkProcess(b *testing.B) {
	for _, encoder := range []string{"minilm", "static"} {
		b.Run(encoder, func(b *testing.B) {
			var toHealth time.Duration
			var idle, most int64
			for range b.N {
				p := startProcess(b, encoder, b.TempDir(), false)
				toHealth += p.toHealth
				idle = p.memory(b, "VmRSS")
				p.encode(b, 500)
				most = p.memory(b, "VmHWM")
				p.stop(b)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(toHealth.Milliseconds())/float64(b.N), "ms-to-health")
			b.ReportMetric(float64(idle)/(1<<10), "idle-MB")
			b.ReportMetric(float64(most)/(1<<10), "most-MB")
		})
	}
}

// BenchmarkExamples is the memory of a hone that starts with 100,000 examples of 40
// words and four classes: what it holds after 15 seconds on the way to their optimum,
// and at most, loading them included; then the time and the memory of a full retrain.
func BenchmarkExamples(b *testing.B) {
	const n = 100_000
	dir := b.TempDir()
	fillState(b, dir, n)
	for _, encoder := range []string{"static", "hashed"} {
		b.Run(encoder, func(b *testing.B) {
			var now, most, retraining int64
			var took time.Duration
			for range b.N {
				own := b.TempDir()
				require.NoError(b, os.CopyFS(own, os.DirFS(dir)))
				p := startProcess(b, encoder, own, true)
				var ready time.Time
				apptest.Until(b, "all is learned", func() bool {
					got, err := p.client.Project(context.Background(), 1)
					if err == nil && got.Labels == n && ready.IsZero() {
						ready = time.Now()
					}
					return !ready.IsZero() && time.Since(ready) > 15*time.Second
				})
				now, most = p.memory(b, "VmRSS"), p.memory(b, "VmHWM")
				took += p.retrain(b)
				retraining = p.memory(b, "VmHWM")
				p.stop(b)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(now)*1024/1e6, "now-MB")
			b.ReportMetric(float64(most)*1024/1e6, "most-MB")
			b.ReportMetric(took.Seconds()/float64(b.N), "s/retrain")
			b.ReportMetric(float64(retraining)*1024/1e6, "retraining-MB")
		})
	}
}

// retrain is a full retrain, from asking to the new version, and how long it took.
func (p *process) retrain(b *testing.B) time.Duration {
	b.Helper()
	began := time.Now()
	at, err := p.client.Retrain(b.Context(), 1)
	require.NoError(b, err)
	require.Eventually(b, func() bool {
		got, err := p.client.Project(b.Context(), 1)
		return err == nil && got.Retrain.Last != nil && !got.Retrain.Last.Before(at)
	}, 10*time.Minute, 50*time.Millisecond)
	return time.Since(began)
}

// fillState makes a database of a project with n annotated tasks.
func fillState(b *testing.B, dir string, n int) {
	b.Helper()
	store, err := state.Open(dir, state.Options{})
	require.NoError(b, err)
	l, err := learner.New(core.WithoutLog(store), learner.Options{Encoder: ngram.NewWords(), Budget: time.Microsecond})
	require.NoError(b, err)
	require.NoError(b, l.Start(context.Background()))
	config := "<View><Text name='t' value='$text'/><Choices name='topic' toName='t'>"
	for _, topic := range []string{"A", "B", "C", "D"} {
		config += "<Choice value='topic " + topic + "'/>"
	}
	config += "</Choices></View>"
	now := time.Now()
	c := &event.Changed{Project: 1, LabelConfig: config, At: now}
	for i, text := range newslike.Make(n, 4, 1) {
		data, err := json.Marshal(map[string]string{"text": text.Text})
		require.NoError(b, err)
		result, err := json.Marshal(apptest.Answer(text.Label))
		require.NoError(b, err)
		id := event.TaskID(i + 1)
		c.Tasks = append(c.Tasks, event.Task{ID: id, Data: data, UpdatedAt: now})
		c.Annotations = append(c.Annotations, event.Annotation{ID: event.AnnotationID(id), Task: id, UpdatedAt: now, Result: result})
		if len(c.Tasks) == core.LearnBatch || i == n-1 {
			require.NoError(b, l.Apply(context.Background(), []event.Event{c}, event.Cursor{Topic: event.Changes, Group: "learner"}))
			c = &event.Changed{Project: 1, LabelConfig: config, At: now}
		}
	}
	require.NoError(b, l.Stop(context.Background()))
	require.NoError(b, store.Close())
}

// process is hone in a process of its own.
type process struct {
	cmd      *exec.Cmd
	client   api.Client
	studio   *apptest.Studio
	toHealth time.Duration
}

// startProcess starts hone beside a Label Studio without projects; full is of a
// directory that has some, and then Label Studio is away.
func startProcess(b *testing.B, encoder, dir string, full bool) *process {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	require.NoError(b, err)
	addr := l.Addr().String()
	require.NoError(b, l.Close())
	p := &process{studio: apptest.NewStudio(b), client: api.Client{Base: "http://" + addr}}
	if full {
		p.studio.Server.Close() // it knows nothing of what is there
	}
	p.cmd = exec.Command("hone", "serve", "--listen", addr, "--data-dir", dir) //nolint:noctx // TestMain puts it into the path; stop ends it
	p.cmd.Env = append(os.Environ(), "HONE_LEARNER_ENCODER="+encoder, "LABEL_STUDIO_URL="+p.studio.Server.URL, "LABEL_STUDIO_API_KEY="+lstest.Token)
	began := time.Now()
	require.NoError(b, p.cmd.Start())
	b.Cleanup(func() { p.stop(b) })
	apptest.Until(b, "/health answers", func() bool {
		res, err := http.Get(p.client.Base + "/health") //nolint:noctx // polled
		if err != nil {
			return false
		}
		return res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
	p.toHealth = time.Since(began)
	return p
}

// encode has hone connected with a project and waits until its texts are encoded.
func (p *process) encode(b *testing.B, tasks int) {
	b.Helper()
	id := p.studio.NewProject(tasks)
	rep, err := p.client.Connect(context.Background(), id, p.client.Base)
	require.NoError(b, err)
	require.False(b, rep.Failed(), "%+v", rep)
	apptest.Until(b, "the texts are encoded", func() bool {
		got, err := p.client.Project(context.Background(), id)
		return err == nil && got.Pool == tasks && got.Queue.Pushed > 0 && (got.Encoding == nil || got.Encoding.Done && got.Encoding.Encoded == tasks)
	})
	body := strings.NewReader(fmt.Sprintf(`{"project":"%d","tasks":[{"data":{"text":"another loan"}}]}`, id))
	res, err := http.Post(p.client.Base+"/predict", "application/json", body) //nolint:noctx // of this test
	require.NoError(b, err)
	require.NoError(b, res.Body.Close())
	require.Equal(b, http.StatusOK, res.StatusCode)
}

// memory is a figure of the system's about the process, in KiB.
func (p *process) memory(b *testing.B, name string) (kib int64) {
	b.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Skipf("this system does not say what a process holds: %v", err)
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if n, _ := fmt.Sscanf(s.Text(), name+": %d kB", &kib); n == 1 {
			return kib
		}
	}
	b.Fatalf("no %s", name)
	return 0
}

func (p *process) stop(b *testing.B) {
	b.Helper()
	if p.cmd.ProcessState == nil {
		require.NoError(b, p.cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(b, p.cmd.Wait())
	}
}
