// Package apptest runs a whole hone and a stand-in for Label Studio, for tests.
package apptest

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
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/regions"
)

const (
	// Patience bounds each wait of a test.
	Patience = 2 * time.Minute
	// LabelConfig has one control, a choice of one of Topics.
	LabelConfig = `<View><Text name="t" value="$text"/><Choices name="topic" toName="t"><Choice value="Money"/><Choice value="Travel"/><Choice value="Food"/></Choices></View>`
)

// Studio is a stand-in for Label Studio with a client of its user.
type Studio struct {
	*lstest.Server
	*labelstudio.Client
	t testing.TB
}

// NewStudio starts a Studio that ends with the test.
func NewStudio(t testing.TB) *Studio {
	t.Helper()
	s := lstest.New()
	t.Cleanup(s.Close)
	c, err := labelstudio.NewClient(labelstudio.Options{URL: s.URL, Token: lstest.Token})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return &Studio{s, c, t}
}

// words has the words of each topic. A linear model learns them from a few labels.
var words = map[string][]string{
	"Money":  {"bank", "loan", "credit", "account", "interest", "card"},
	"Travel": {"flight", "hotel", "visa", "airport", "luggage", "train"},
	"Food":   {"recipe", "dinner", "sugar", "oven", "restaurant", "calories"},
}

// Topics are the labels of LabelConfig.
var Topics = []string{"Money", "Travel", "Food"}

// Text returns the text of task i and its topic.
func Text(i int) (s, topic string) {
	topic = Topics[i%len(Topics)]
	w := words[topic]
	return fmt.Sprintf("question %d about %s and %s", i, w[i%len(w)], w[(i/3+1)%len(w)]), topic
}

// TopicOf returns the topic of a text.
func TopicOf(s string) string {
	for _, n := range Topics {
		for _, w := range words[n] {
			if strings.Contains(s, w) {
				return n
			}
		}
	}
	return ""
}

// NewProject creates a project with LabelConfig and so many tasks.
func (s *Studio) NewProject(tasks int) event.ProjectID {
	s.t.Helper()
	p, err := s.CreateProject(context.Background(), "topics", LabelConfig)
	require.NoError(s.t, err)
	if tasks > 0 {
		s.AddTasks(p.ID, tasks)
	}
	return p.ID
}

// AddTasks imports so many tasks.
func (s *Studio) AddTasks(p event.ProjectID, tasks int) {
	s.t.Helper()
	data := make([]map[string]string, tasks)
	for i := range data {
		t, _ := Text(i)
		data[i] = map[string]string{"text": t}
	}
	_, err := s.Import(context.Background(), p, data)
	require.NoError(s.t, err)
}

// Annotate labels a task.
func (s *Studio) Annotate(task event.TaskID, topic string) event.Annotation {
	s.t.Helper()
	a, err := s.CreateAnnotation(context.Background(), task, labelstudio.AnnotationWrite{Result: Answer(topic)})
	require.NoError(s.t, err)
	return a
}

// Answer returns the result of an annotation with the topic.
func Answer(topic string) []regions.Region {
	return []regions.Region{{
		ID: "r", FromName: "topic", ToName: "t", Type: "choices", Value: json.RawMessage(`{"choices":["` + topic + `"]}`),
	}}
}

// Next returns the task that Label Studio offers, and the topic of its text.
func (s *Studio) Next(p event.ProjectID) (event.TaskID, string) {
	s.t.Helper()
	task, err := s.NextTask(context.Background(), p)
	require.NoError(s.t, err)
	var data struct{ Text string }
	require.NoError(s.t, json.Unmarshal(task.Data, &data))
	return task.ID, TopicOf(data.Text)
}

// Instance is a running hone, with a client of its own API.
type Instance struct {
	*app.App
	*api.Client
	// Log holds what hone has logged.
	Log *Log
	// DataDir is the data directory, for commands.
	DataDir string

	t      testing.TB
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

// Log keeps what is written to it. It is safe for concurrent use.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

// Write implements io.Writer.
func (b *Log) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("path=/api/projects/")) {
		return len(p), nil // a test that waits
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns all that was written.
func (b *Log) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Settings returns the configuration of a hone that works with s, or with no Label Studio yet when s
// is nil.
func Settings(dir string, s *Studio) config.Config {
	cfg := config.Default()
	cfg.Listen, cfg.DataDir = "127.0.0.1:0", dir
	if s != nil {
		cfg.LabelStudio.URL, cfg.LabelStudio.APIKey = s.Server.URL, lstest.Token
	}
	cfg.LabelStudio.Retries = 0
	cfg.Learner.Encoder = "static" // one that is there at once
	cfg.Sampler.PushRate, cfg.Sampler.Settle, cfg.Sampler.BackgroundWrites = 10_000, 10*time.Millisecond, 1_000_000
	cfg.Webhook.Secret = "a-webhook-secret"
	return cfg
}

// Start runs a hone until the test ends, or until Stop is called, and waits until it is
// ready.
func Start(t testing.TB, cfg config.Config) *Instance {
	t.Helper()
	return StartWith(t, cfg, app.Seams{})
}

// StartWith does what Start does, with seams.
func StartWith(t testing.TB, cfg config.Config, edges app.Seams) *Instance {
	t.Helper()
	return StartOptions(t, cfg, app.Options{Seams: edges})
}

// StartOptions does what Start does, with options, of which it sets the logger.
func StartOptions(t testing.TB, cfg config.Config, o app.Options) *Instance {
	t.Helper()
	log := &Log{}
	o.Logger = logrus.New()
	o.Logger.SetOutput(log)
	o.Logger.SetLevel(logrus.DebugLevel)
	a, err := app.New(context.Background(), cfg, o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	i := &Instance{App: a, t: t, Log: log, DataDir: cfg.DataDir, cancel: cancel, done: make(chan struct{})}
	cfg.Listen = a.Addrs()[0].String()
	if cfg.AdminListen != "" {
		cfg.AdminListen = a.Addrs()[1].String()
	}
	i.Client, err = app.Client(cfg)
	require.NoError(t, err)
	go func() {
		defer close(i.done)
		i.err = a.Run(ctx)
	}()
	t.Cleanup(func() {
		i.Stop()
		if t.Failed() {
			t.Logf("hone's log:\n%s", log)
		}
	})
	select {
	case <-a.Ready():
	case <-i.done:
		t.Fatalf("hone ended: %v", i.err)
	}
	return i
}

// Stop ends hone as SIGTERM does. It does nothing when hone has ended.
func (i *Instance) Stop() {
	i.t.Helper()
	i.cancel()
	select {
	case <-i.done:
	case <-time.After(Patience):
		i.t.Fatal("hone does not stop")
	}
	require.NoError(i.t, i.err)
}

// Register registers hone with a project as `hone connect` does.
func (i *Instance) Register(p event.ProjectID) {
	i.t.Helper()
	rep, err := i.Client.Connect(context.Background(), p, i.Base)
	require.NoError(i.t, err)
	require.False(i.t, rep.Failed(), "%+v", rep)
}

// Pasted returns the address that a user pastes into Label Studio.
func (i *Instance) Pasted() string {
	pair := i.Keys.Backend()
	return labelstudio.WithUserInfo(i.Base, pair.User, secret.Secret(pair.Password))
}

// Status returns what hone's API answers about the project.
func (i *Instance) Status(p event.ProjectID) api.Project {
	i.t.Helper()
	got, err := i.Project(context.Background(), p)
	require.NoError(i.t, err)
	return got
}

// Await waits for a project that may not be known yet.
func (i *Instance) Await(p event.ProjectID, what string, cond func(api.Project) bool) (got api.Project) {
	i.t.Helper()
	Until(i.t, what, func() bool {
		var err error
		got, err = i.Project(context.Background(), p)
		return err == nil && cond(got)
	})
	return got
}

// Until waits until a condition holds that hone or the stand-in brings about.
func Until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	limit := time.NewTimer(Patience)
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

// Post sends a request as Label Studio does and returns status and body.
func (i *Instance) Post(path, body string) (int, string) {
	i.t.Helper()
	req, err := http.NewRequestWithContext(i.t.Context(), http.MethodPost, i.Base+path, strings.NewReader(body))
	require.NoError(i.t, err)
	req.Header.Set("Content-Type", "application/json")
	pair := i.Keys.Backend()
	req.SetBasicAuth(pair.User, pair.Password)
	res, err := http.DefaultClient.Do(req)
	require.NoError(i.t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(i.t, err)
	return res.StatusCode, string(b)
}

// Predict returns label and score for unseen texts.
func (i *Instance) Predict(p event.ProjectID, texts ...string) (labels []string, scores []float64) {
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
	status, body := i.Post("/predict", string(b))
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

// As sends a request with headers, in pairs of name and value, and returns the status.
func (i *Instance) As(method, path, body string, headers ...string) int {
	i.t.Helper()
	req, err := http.NewRequestWithContext(i.t.Context(), method, i.Base+path, strings.NewReader(body))
	require.NoError(i.t, err)
	req.Header.Set("Content-Type", "application/json")
	for k := 0; k+1 < len(headers); k += 2 {
		req.Header.Set(headers[k], headers[k+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(i.t, err)
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode
}

// Strict returns the configuration of a hone that other machines reach: it listens on all addresses
// and has no configured secret.
func Strict(dir string, s *Studio) config.Config {
	cfg := Settings(dir, s)
	cfg.Listen, cfg.Webhook.Secret = ":0", ""
	return cfg
}
