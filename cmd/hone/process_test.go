package main

import (
	"bufio"
	"context"
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
	"github.com/hone-ml/hone/labelstudio/lstest"
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
				p := startProcess(b, encoder)
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

// process is hone in a process of its own.
type process struct {
	cmd      *exec.Cmd
	client   api.Client
	studio   *studio
	toHealth time.Duration
}

func startProcess(b *testing.B, encoder string) *process {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	require.NoError(b, err)
	addr := l.Addr().String()
	require.NoError(b, l.Close())
	p := &process{studio: newStudio(b), client: api.Client{Base: "http://" + addr}}
	p.cmd = exec.Command("hone", "serve", "--listen", addr, "--data-dir", b.TempDir()) //nolint:noctx // TestMain puts it into the path; stop ends it
	p.cmd.Env = append(os.Environ(), "HONE_LEARNER_ENCODER="+encoder, "LABEL_STUDIO_URL="+p.studio.Server.URL, "LABEL_STUDIO_API_KEY="+lstest.Token)
	began := time.Now()
	require.NoError(b, p.cmd.Start())
	b.Cleanup(func() { p.stop(b) })
	until(b, "/health answers", func() bool {
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
	id := p.studio.newProject(tasks)
	rep, err := p.client.Connect(context.Background(), id, p.client.Base)
	require.NoError(b, err)
	require.False(b, rep.Failed(), "%+v", rep)
	until(b, "the texts are encoded", func() bool {
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
