package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
)

// inDelta reports whether two lists of scores are the same but for the optimizer's tolerance.
func inDelta(a, b []float64) bool {
	for i := range a {
		if d := a[i] - b[i]; d > 0.02 || d < -0.02 {
			return false
		}
	}
	return len(a) == len(b)
}

// The encoder of one project changes by HTTP, without a restart and over one. Model, queue
// and what Label Studio stores follow, and are those of a hone with that encoder; another
// project does not notice.
func TestSettingOfTheEncoder(t *testing.T) {
	r := newConfigured(t, 40, 12)
	other := r.s.NewProject(20)
	r.h.Register(other)
	r.h.Await(other, "read", func(p api.Project) bool { return p.Settled && p.Pool == 20 })
	before := settled(r.h, r.p)
	rest := r.h.Status(other)
	texts, _ := unseen()
	scores := func() []float64 {
		_, out := r.h.Predict(r.p, texts...)
		return out
	}
	static := scores()

	set(t, r.h, r.p, "encoder", "hashed")
	got := settled(r.h, r.p)
	s := setting(got, "encoder")
	assert.Equal(t, api.Setting{Key: "encoder", Value: "hashed", Default: "default", Set: true, Type: s.Type, Doc: s.Doc}, s)
	assert.Equal(t, before.Labels, got.Labels)
	assert.Equal(t, before.Heads[0].Examples, got.Heads[0].Examples)
	assert.Equal(t, before.Heads[0].Accuracy, got.Heads[0].Accuracy, "of predictions that were made before")
	assert.Equal(t, before.ModelVersion, got.ModelVersion)
	assert.Nil(t, got.Encoding)
	hashed := scores()
	assert.False(t, inDelta(static, hashed), "%v and %v", static, hashed)
	apptest.Until(t, "what is stored says what the model says", func() bool {
		got := r.h.Status(r.p)
		return got.Settled && got.Predictions.QueueDiffering+got.Predictions.OthersDiffering == 0
	})
	assert.Equal(t, rest.Snapshot, r.h.Status(other).Snapshot, "the other project's model")

	r.h.Stop()
	cfg := apptest.Settings(r.dir, r.s)
	r.h = apptest.Start(t, cfg)
	settled(r.h, r.p)
	assert.True(t, inDelta(hashed, scores()), "after a restart")
	r.h.Stop()
	cfg.Learner.Encoder = "hashed"
	r.h = apptest.Start(t, cfg)
	set(t, r.h, r.p, "encoder", "")
	settled(r.h, r.p)
	assert.True(t, inDelta(hashed, scores()), "a hone with that encoder")
	set(t, r.h, r.p, "encoder", "static")
	settled(r.h, r.p)
	assert.True(t, inDelta(static, scores()), "back: %v and %v", static, scores())
}

// The transformer is there for the project that names it, also where it is not configured.
func TestTheTransformerForOneProject(t *testing.T) {
	if _, err := encoders.Open(encoders.MiniLM, encoders.Options{}); err != nil {
		t.Skip(err)
	}
	r := newConfigured(t, 20, 6)
	other := r.s.NewProject(20)
	r.h.Register(other)
	r.h.Await(other, "read", func(p api.Project) bool { return p.Settled && p.Pool == 20 })
	texts, _ := unseen()
	_, before := r.h.Predict(r.p, texts...)
	set(t, r.h, r.p, "encoder", encoders.MiniLM)
	got := r.h.Await(r.p, "encoded", func(p api.Project) bool { return p.Settled && p.Encoding != nil && p.Encoding.Done })
	assert.Equal(t, 20, got.Encoding.Encoded)
	assert.Empty(t, got.Problems)
	assert.Nil(t, r.h.Status(other).Encoding)
	_, now := r.h.Predict(r.p, texts...)
	assert.False(t, inDelta(before, now), "%v and %v", before, now)
	stored := func() (n int) {
		require.NoError(t, r.h.Store.VectorKeys(t.Context(), "minilm/2+windows", func(event.ContentKey) { n++ }))
		return n
	}
	assert.GreaterOrEqual(t, stored(), 20)
	set(t, r.h, r.p, "encoder", "static")
	assert.Nil(t, settled(r.h, r.p).Encoding)
	_, now = r.h.Predict(r.p, texts...)
	assert.True(t, inDelta(before, now), "%v and %v", before, now)
	apptest.Until(t, "the vectors that nobody reads are gone", func() bool { return stored() == 0 })
}

// What is no encoder of this hone is refused, with the names of those that are. One that was
// stored, and is none any more since the configuration changed, is told of and is the default.
func TestEncodersThatAHoneDoesNotHave(t *testing.T) {
	s, g := apptest.NewStudio(t), newGatedEncoder(t)
	g.let(func(string) bool { return true })
	dir := t.TempDir()
	cfg := apptest.Settings(dir, s)
	server := "openai:" + g.URL + "/v1"
	cfg.Learner.Encoder, cfg.Learner.OpenAIModel = server, "gated"
	h := apptest.Start(t, cfg)
	p := s.NewProject(12)
	h.Register(p)
	h.Await(p, "read", func(p api.Project) bool { return p.Settled && p.Pool == 12 })
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	h.Await(p, "learned", func(p api.Project) bool { return p.Labels == 1 && p.Settled })
	for _, name := range []string{"bert", "bert:.", "openai:http://elsewhere/v1", "model2vec:.", "Static", "\x00"} {
		status, answer := patch(t, h, number(event.UserID(p)), `{"encoder":`+jsonOf(t, name)+`}`)
		assert.Equal(t, http.StatusBadRequest, status, name)
		for _, want := range append(encoders.BuiltIn(), "default", server, "learner.encoder") {
			assert.Contains(t, answer, want, name)
		}
	}
	assert.False(t, setting(h.Status(p), "encoder").Set)
	set(t, h, p, "encoder", server)
	got := h.Await(p, "settled", func(p api.Project) bool { return p.Settled && p.Encoding != nil && p.Encoding.Done })
	assert.Equal(t, server, setting(got, "encoder").Value)

	h.Stop()
	h = apptest.Start(t, apptest.Settings(dir, s))
	got = settled(h, p)
	assert.Nil(t, got.Encoding)
	assert.Equal(t, 1, got.Labels)
	assert.Equal(t, "default", setting(got, "encoder").Value)
	assert.True(t, setting(got, "encoder").Set)
	assert.True(t, strings.Contains(whole(got.Problems), server) && strings.Contains(whole(got.Problems), "the default holds"), "%v", got.Problems)

	h.Stop()
	h = apptest.Start(t, cfg)
	got = h.Await(p, "as before", func(p api.Project) bool { return p.Settled && p.Encoding != nil && p.Encoding.Done })
	assert.NotContains(t, whole(got.Problems), server, "the setting is no problem any more")
	assert.Equal(t, server, setting(got, "encoder").Value)
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}
