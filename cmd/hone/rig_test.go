package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/regions"
)

const (
	patience = 2 * time.Minute
	topics   = `<View><Text name="t" value="$text"/><Choices name="topic" toName="t"><Choice value="Money"/><Choice value="Travel"/><Choice value="Food"/></Choices></View>`
)

// studio is a stand-in for Label Studio with a client of its user.
type studio struct {
	*lstest.Server
	*labelstudio.Client
	t testing.TB
}

func newStudio(t testing.TB) *studio {
	t.Helper()
	s := lstest.New()
	t.Cleanup(s.Close)
	c, err := labelstudio.NewClient(labelstudio.Options{URL: s.URL, Token: lstest.Token})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return &studio{s, c, t}
}

// words make texts whose topic a linear model learns from a few labels.
var words = map[string][]string{
	"Money":  {"bank", "loan", "credit", "account", "interest", "card"},
	"Travel": {"flight", "hotel", "visa", "airport", "luggage", "train"},
	"Food":   {"recipe", "dinner", "sugar", "oven", "restaurant", "calories"},
}

var names = []string{"Money", "Travel", "Food"}

func text(i int) (s, topic string) {
	topic = names[i%len(names)]
	w := words[topic]
	return fmt.Sprintf("question %d about %s and %s", i, w[i%len(w)], w[(i/3+1)%len(w)]), topic
}

func topicOf(s string) string {
	for _, n := range names {
		for _, w := range words[n] {
			if strings.Contains(s, w) {
				return n
			}
		}
	}
	return ""
}

func (s *studio) newProject(tasks int) event.ProjectID {
	s.t.Helper()
	p, err := s.CreateProject(context.Background(), "topics", topics)
	require.NoError(s.t, err)
	if tasks > 0 {
		s.add(p.ID, tasks)
	}
	return p.ID
}

func (s *studio) add(p event.ProjectID, tasks int) {
	s.t.Helper()
	data := make([]map[string]string, tasks)
	for i := range data {
		t, _ := text(i)
		data[i] = map[string]string{"text": t}
	}
	_, err := s.Import(context.Background(), p, data)
	require.NoError(s.t, err)
}

func (s *studio) annotate(task event.TaskID, topic string) event.Annotation {
	s.t.Helper()
	a, err := s.CreateAnnotation(context.Background(), task, labelstudio.AnnotationWrite{Result: answer(topic)})
	require.NoError(s.t, err)
	return a
}

func answer(topic string) []regions.Region {
	return []regions.Region{{
		ID: "r", FromName: "topic", ToName: "t", Type: "choices", Value: json.RawMessage(`{"choices":["` + topic + `"]}`),
	}}
}

// next is the task Label Studio offers, and what the text is about.
func (s *studio) next(p event.ProjectID) (event.TaskID, string) {
	s.t.Helper()
	task, err := s.NextTask(context.Background(), p)
	require.NoError(s.t, err)
	var data struct{ Text string }
	require.NoError(s.t, json.Unmarshal(task.Data, &data))
	return task.ID, topicOf(data.Text)
}

// instance is a running app.
type instance struct {
	*app
	*api.Client
	t   testing.TB
	log *logBuffer
	// dataDir is where commands are told to look.
	dataDir string
	cancel  context.CancelFunc
	done    chan struct{}
	err     error
}

type logBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("path=/api/projects/")) {
		return len(p), nil // a test that waits
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// settings for a hone that works with s, or with none yet when s is nil.
func settings(dir string, s *studio) config.Config {
	cfg := config.Default()
	cfg.Listen, cfg.DataDir = "127.0.0.1:0", dir
	if s != nil {
		cfg.LabelStudio.URL, cfg.LabelStudio.APIKey = s.Server.URL, config.NewSecret(lstest.Token)
	}
	cfg.LabelStudio.Retries = 0
	cfg.Learner.Encoder = "static" // one that is there at once
	cfg.Sampler.PushRate, cfg.Sampler.Settle = 10_000, 10*time.Millisecond
	cfg.Webhook.Secret = config.NewSecret("a-webhook-secret")
	return cfg
}

func start(t testing.TB, cfg config.Config) *instance {
	t.Helper()
	return startWith(t, cfg, seams{})
}

func startWith(t testing.TB, cfg config.Config, edges seams) *instance {
	t.Helper()
	log := &logBuffer{}
	logger := logrus.New()
	logger.SetOutput(log)
	logger.SetLevel(logrus.DebugLevel)
	a, err := newAppWith(context.Background(), cfg, logger, edges)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	i := &instance{app: a, t: t, log: log, dataDir: cfg.DataDir, cancel: cancel, done: make(chan struct{})}
	cfg.Listen = a.addr()
	if cfg.AdminListen != "" {
		cfg.AdminListen = a.ports[1].Addr().String()
	}
	i.Client, err = clientFor(cfg)
	require.NoError(t, err)
	go func() {
		defer close(i.done)
		i.err = a.run(ctx)
	}()
	t.Cleanup(func() {
		i.stop()
		if t.Failed() {
			t.Logf("hone's log:\n%s", log)
		}
	})
	select {
	case <-a.ready:
	case <-i.done:
		t.Fatalf("hone ended: %v", i.err)
	}
	return i
}

// stop ends hone as SIGTERM does; harmless when it has ended.
func (i *instance) stop() {
	i.t.Helper()
	i.cancel()
	select {
	case <-i.done:
	case <-time.After(patience):
		i.t.Fatal("hone does not stop")
	}
	require.NoError(i.t, i.err)
}

func (i *instance) connect(p event.ProjectID) {
	i.t.Helper()
	rep, err := i.Client.Connect(context.Background(), p, i.Base)
	require.NoError(i.t, err)
	require.False(i.t, rep.Failed(), "%+v", rep)
}

// pasted is the address that a user pastes into Label Studio.
func (i *instance) pasted() string {
	pair := i.keys.Backend()
	return labelstudio.WithUserInfo(i.Base, pair.User, labelstudio.Secret(pair.Password))
}

func (i *instance) status(p event.ProjectID) api.Project {
	i.t.Helper()
	got, err := i.Project(context.Background(), p)
	require.NoError(i.t, err)
	return got
}

// await waits for a project that may not be known yet.
func (i *instance) await(p event.ProjectID, what string, cond func(api.Project) bool) (got api.Project) {
	i.t.Helper()
	until(i.t, what, func() bool {
		var err error
		got, err = i.Project(context.Background(), p)
		return err == nil && cond(got)
	})
	return got
}

// until waits for a condition of the outside world.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("never: %s", what)
		}
	}
}

// post makes a request as Label Studio does and returns status and body.
func (i *instance) post(path, body string) (int, string) {
	i.t.Helper()
	req, err := http.NewRequestWithContext(i.t.Context(), http.MethodPost, i.Base+path, strings.NewReader(body))
	require.NoError(i.t, err)
	req.Header.Set("Content-Type", "application/json")
	pair := i.keys.Backend()
	req.SetBasicAuth(pair.User, pair.Password)
	res, err := http.DefaultClient.Do(req)
	require.NoError(i.t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(i.t, err)
	return res.StatusCode, string(b)
}

// predict returns label and score for unseen texts.
func (i *instance) predict(p event.ProjectID, texts ...string) (labels []string, scores []float64) {
	i.t.Helper()
	type task struct {
		Data map[string]string `json:"data"`
	}
	req := map[string]any{"project": fmt.Sprint(p)}
	var tasks []task
	for _, t := range texts {
		tasks = append(tasks, task{map[string]string{"text": t}})
	}
	req["tasks"] = tasks
	b, err := json.Marshal(req)
	require.NoError(i.t, err)
	status, body := i.post("/predict", string(b))
	require.Equal(i.t, 200, status, body)
	var out struct {
		Results []struct {
			Score  float64
			Result []struct{ Value struct{ Choices []string } }
		}
	}
	require.NoError(i.t, json.Unmarshal([]byte(body), &out))
	require.Len(i.t, out.Results, len(texts))
	for _, r := range out.Results {
		label := ""
		if len(r.Result) > 0 && len(r.Result[0].Value.Choices) > 0 {
			label = r.Result[0].Value.Choices[0]
		}
		labels, scores = append(labels, label), append(scores, r.Score)
	}
	return labels, scores
}

func decimal(id uint64) string { return fmt.Sprint(id) }

func secretOf(s string) config.Secret { return config.NewSecret(s) }
