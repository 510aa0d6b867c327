package app_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/text/minilm"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/golden"
	"github.com/hone-ml/hone/state"
)

const (
	// goldenData is the database of a hone that has learned a project with three kinds of
	// control, has encoded all its texts and tokens, and was retrained.
	goldenData = "testdata/golden/hone.db"
	// minilm1Data is the same of a hone whose transformer gave the last layer alone. It stays as
	// it is.
	minilm1Data = "testdata/minilm1/hone.db"
	// schema2Data is the same of a hone before that, which kept the state of a project in the settings
	// of its live version. It stays as it is.
	schema2Data = "testdata/schema2/hone.db"
)

const goldenConfig = `<View><Text name="t" value="$text"/>
	<Choices name="topic" toName="t"><Choice value="Money"/><Choice value="Travel"/><Choice value="Food"/></Choices>
	<Rating name="stars" toName="t" maxRating="3"/><Labels name="s" toName="t"><Label value="Subject"/></Labels></View>`

const (
	goldenTasks  = 12
	goldenLabels = 9
	goldenNames  = 7
)

// A hone of today goes on where the hone that wrote the database stopped: with the
// same models and settings, and without encoding a text again.
func TestGoldenDataDirectory(t *testing.T) {
	needsMiniLM(t)
	if golden.Updating() {
		makeGoldenData(t)
	}
	dir := copyData(t, goldenData)
	goesOn(t, dir, storedIn(t, dir))
}

// Where the transformer is another now, a hone of today has the same versions and has learned
// from the same labels. It makes each vector anew, once.
func TestDataDirectoryOfAnOlderTransformer(t *testing.T) {
	needsMiniLM(t)
	dir := copyData(t, minilm1Data)
	goesOnWithNewVectors(t, dir, storedIn(t, dir))
}

// So it does where it has to bring the database to its own schema first, as often as it
// is started.
func TestSchema2DataDirectory(t *testing.T) {
	needsMiniLM(t)
	dir := copyData(t, schema2Data)
	before := storedInSchema2(t, filepath.Join(dir, "hone.db"))
	goesOnWithNewVectors(t, dir, before)
	after := storedIn(t, dir)
	require.Equal(t, before.Versions, after.Versions)
	goesOn(t, dir, after)
}

// A retrain that was asked for before the schema changed is done.
func TestSchema2PendingRetrainIsDone(t *testing.T) {
	needsMiniLM(t)
	dir := copyData(t, schema2Data)
	db, err := bbolt.Open(filepath.Join(dir, "hone.db"), 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		b := projectIn(tx)
		versions := versionsIn(t, b)
		settings := map[string]json.RawMessage{}
		live := &versions[len(versions)-1]
		require.True(t, live.Live)
		require.NoError(t, json.Unmarshal(live.Settings, &settings))
		settings["pending"] = json.RawMessage(`{"at":"2026-11-01T00:00:00Z","reason":"asked before"}`)
		live.Settings, err = json.Marshal(settings)
		require.NoError(t, err)
		list, err := json.Marshal(versions)
		require.NoError(t, err)
		return b.Put([]byte("versions"), append([]byte{1}, list...))
	}))
	require.NoError(t, db.Close())
	synctest.Test(t, func(t *testing.T) {
		a, stop := goldenHone(t, dir)
		versions := a.Learner.Versions(1)
		assert.Len(t, versions, 3)
		assert.Equal(t, "asked before", versions[len(versions)-1].Reason)
		stop()
	})
	assert.NotContains(t, storedIn(t, dir).LearnerState, "pending")
}

func needsMiniLM(t *testing.T) {
	t.Helper()
	if _, err := encoders.Open(encoders.MiniLM, encoders.Options{}); errors.Is(err, minilm.ErrNotBuiltIn) {
		t.Skip(err)
	}
}

// copyData is a data directory with a copy of a database.
func copyData(t *testing.T, from string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	b, err := os.ReadFile(from)
	require.NoError(t, err)
	require.Less(t, len(b), 300_000, "it is part of the source")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "hone.db"), b, 0o600))
	return dir
}

// goesOnWithNewVectors starts a hone on a directory whose vectors are of another encoder.
func goesOnWithNewVectors(t *testing.T, dir string, before stored) {
	t.Helper()
	encoded := startedOn(t, dir, before)
	assert.InDelta(t, len(before.Vectors), encoded, 0, "texts, tokens and label names")
	after := storedIn(t, dir)
	assert.Equal(t, before.Versions, after.Versions)
	assert.Equal(t, before.LearnerState["progress"], after.LearnerState["progress"])
	assert.Len(t, after.Vectors, len(before.Vectors))
	for key := range before.Vectors {
		assert.NotContains(t, after.Vectors, key, "the vectors of the encoder before are deleted")
	}
}

// startedOn starts a hone on a directory, looks at its status, and returns how many vectors it
// has made.
func startedOn(t *testing.T, dir string, before stored) (encoded float64) {
	t.Helper()
	require.NotEmpty(t, before.Checkpoint)
	require.Len(t, before.Versions, 2)
	require.NotEmpty(t, before.LearnerState["progress"])
	require.Equal(t, 2*goldenTasks+goldenNames, len(before.Vectors), "of a text its own and those of its tokens, and of each label's name")
	synctest.Test(t, func(t *testing.T) {
		a, stop := goldenHone(t, dir)
		status, ok := a.Learner.Status(1)
		assert.True(t, ok)
		assert.Equal(t, goldenLabels, status.Labels)
		assert.Equal(t, "hone-2", status.Version)
		assert.True(t, status.Encoding.Done)
		assert.Equal(t, goldenTasks, status.Encoding.Encoded)
		for _, h := range status.Heads {
			assert.Equal(t, goldenLabels, h.Examples, h.Control)
		}
		for _, name := range []string{"hone_learner_encode_failures_total", "hone_learner_forgotten_total"} {
			assert.Zero(t, gathered(t, a.Registry, name), name)
		}
		encoded = gathered(t, a.Registry, "hone_learner_encoded_total")
		stop()
	})
	return encoded
}

// goesOn starts a hone on a directory, and compares what is stored in the end with what
// was before.
func goesOn(t *testing.T, dir string, before stored) {
	t.Helper()
	assert.Zero(t, startedOn(t, dir, before))
	after := storedIn(t, dir)
	assert.Equal(t, before.Versions, after.Versions)
	assert.Equal(t, before.LearnerState, after.LearnerState)
	assert.Equal(t, before.Vectors, after.Vectors)
	// A start walks on from where the last walk ended, and the numbers of a checkpoint
	// are rounded: they may move by a few of their steps.
	const few = 16
	require.Equal(t, slices.Sorted(maps.Keys(before.Checkpoint)), slices.Sorted(maps.Keys(after.Checkpoint)))
	for key, was := range before.Checkpoint {
		is := after.Checkpoint[key]
		require.Len(t, is, len(was), key)
		for i := range was {
			if d := int16(is[i] - was[i]); d > few || d < -few {
				t.Errorf("%q: number %d is %d steps away", key, i, d)
			}
		}
	}
}

// stored is what must be the same after a start: what was learned, and the vectors.
type stored struct {
	Checkpoint   map[string][]uint16 // numbers by head and task
	Versions     []string
	LearnerState map[string]any // without the number of the snapshot, which counts the starts too
	Vectors      map[string]string
}

// storedIn reads with the code of today, which brings the database to its schema.
func storedIn(t *testing.T, dir string) (out stored) {
	t.Helper()
	s, err := state.Open(dir, state.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	p, err := s.Load(t.Context(), 1)
	require.NoError(t, err)
	out = stored{Checkpoint: numbersOf(t, p.Checkpoint), Vectors: vectorsIn(t, s.DB())}
	for _, v := range p.Versions {
		out.Versions = append(out.Versions, spellVersion(t, v))
	}
	require.NoError(t, json.Unmarshal(p.LearnerState, &out.LearnerState))
	delete(out.LearnerState, "snapshot")
	return out
}

// storedInSchema2 reads a database of schema 2 by the description of its form alone.
func storedInSchema2(t *testing.T, path string) (out stored) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		require.Equal(t, []byte{0, 0, 0, 0, 0, 0, 0, 2}, tx.Bucket([]byte("state")).Get([]byte("schema")))
		b := projectIn(tx)
		out = stored{Checkpoint: numbersOf(t, b.Get([]byte("checkpoint")))}
		for _, v := range versionsIn(t, b) {
			var settings map[string]any
			require.NoError(t, json.Unmarshal(v.Settings, &settings))
			heads := map[string]any{"heads": settings["heads"]}
			v.Settings, err = json.Marshal(heads)
			require.NoError(t, err)
			out.Versions = append(out.Versions, spellVersion(t, v))
			if v.Live {
				delete(settings, "heads")
				delete(settings, "snapshot")
				out.LearnerState = settings
			}
		}
		return nil
	}))
	out.Vectors = vectorsIn(t, db)
	return out
}

func projectIn(tx *bbolt.Tx) *bbolt.Bucket {
	return tx.Bucket([]byte("state")).Bucket([]byte("projects")).Bucket([]byte{0x80, 0, 0, 0, 0, 0, 0, 1})
}

func versionsIn(t *testing.T, project *bbolt.Bucket) (out []event.Version) {
	t.Helper()
	list := project.Get([]byte("versions"))
	require.Equal(t, byte(1), list[0])
	require.NoError(t, json.Unmarshal(list[1:], &out))
	return out
}

func spellVersion(t *testing.T, v event.Version) string {
	t.Helper()
	var settings any
	require.NoError(t, json.Unmarshal(v.Settings, &settings))
	spelled, err := json.Marshal(settings)
	require.NoError(t, err)
	return fmt.Sprintf("%s %s %q live %t, %d labels: %s", v.Name, v.CreatedAt, v.Reason, v.Live, v.Labels, spelled)
}

func vectorsIn(t *testing.T, db *bbolt.DB) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		vectors := tx.Bucket([]byte("state")).Bucket([]byte("vectors"))
		return vectors.ForEachBucket(func(encoder []byte) error {
			return vectors.Bucket(encoder).ForEach(func(k, v []byte) error {
				out[fmt.Sprintf("%s %x", encoder, k)] = fmt.Sprintf("%d bytes %x", len(v), sha256.Sum256(v))
				return nil
			})
		})
	}))
	return out
}

// numbersOf reads a checkpoint by the description of its form alone.
func numbersOf(t *testing.T, b []byte) map[string][]uint16 {
	t.Helper()
	b, ok := bytes.CutPrefix(b, []byte("hone duals 2\n"))
	require.True(t, ok)
	r := bytes.NewReader(b)
	uvarint := func() uint64 {
		n, err := binary.ReadUvarint(r)
		require.NoError(t, err)
		return n
	}
	out := map[string][]uint16{}
	for r.Len() > 0 {
		key := make([]byte, uvarint())
		_, err := io.ReadFull(r, key)
		require.NoError(t, err)
		id := int64(0)
		for range uvarint() {
			by, err := binary.ReadVarint(r)
			require.NoError(t, err)
			id += by
			numbers := make([]uint16, uvarint())
			require.NoError(t, binary.Read(r, binary.LittleEndian, numbers))
			out[fmt.Sprintf("%s %d", key, id)] = numbers
		}
	}
	return out
}

// goldenHone starts a hone without Label Studio and without a network in a bubble, and
// waits until there is nothing left to do.
func goldenHone(t *testing.T, dir string) (a *app.App, stop func()) {
	t.Helper()
	cfg := config.Default()
	cfg.Listen, cfg.DataDir, cfg.Learner.Encoder = "10.0.0.5:9090", dir, encoders.MiniLM
	cfg.Secret, cfg.AdminToken = "a-secret-of-the-test-alone", "another-of-the-test-alone"
	cfg.Cron.Reconcile, cfg.Cron.FullReconcile, cfg.Cron.Retrain, cfg.Cron.Timezone = "off", "off", "off", "UTC"
	log := &apptest.Log{}
	logger := logrus.New()
	logger.SetOutput(log)
	a, err := app.New(context.Background(), cfg, app.Options{Logger: logger, Seams: app.Seams{
		Listen: func(string) (net.Listener, error) { return newNoListener(), nil }, Steps: 40, Jitter: func() float64 { return 0.5 },
	}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	<-a.Ready()
	settle := func() {
		require.NoError(t, a.Learner.WaitEncoded(ctx))
		require.NoError(t, a.Learner.WaitSettled(ctx))
		time.Sleep(time.Minute)
		synctest.Wait()
	}
	settle()
	return a, func() {
		settle()
		cancel()
		require.NoError(t, <-done, log)
	}
}

func makeGoldenData(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, stop := goldenHone(t, dir)
		c := &event.Changed{Project: 1, CreatedAt: 946684800, Source: event.FromSetup, At: time.Now(), Title: "golden", LabelConfig: goldenConfig}
		for i := 1; i <= goldenTasks; i++ {
			s, topic := apptest.Text(i)
			data, err := json.Marshal(map[string]string{"text": s})
			require.NoError(t, err)
			c.Tasks = append(c.Tasks, event.Task{ID: event.TaskID(i), Data: data, UpdatedAt: time.Now()})
			if i > goldenLabels {
				continue
			}
			from := strings.Index(s, "about ") + len("about ")
			to := strings.Index(s, " and")
			c.Annotations = append(c.Annotations, event.Annotation{ID: event.AnnotationID(100 + i), Task: event.TaskID(i), CompletedBy: 1, UpdatedAt: time.Now(), Result: fmt.Appendf(nil, `[
				{"id":"a","from_name":"topic","to_name":"t","type":"choices","value":{"choices":[%q]}},
				{"id":"b","from_name":"stars","to_name":"t","type":"rating","value":{"rating":%d}},
				{"id":"c","from_name":"s","to_name":"t","type":"labels","value":{"start":%d,"end":%d,"labels":["Subject"]}}]`, topic, 1+i%3, from, to)})
		}
		require.NoError(t, a.Pipeline.Publish(t.Context(), c))
		time.Sleep(time.Minute)
		require.NoError(t, a.Pipeline.Publish(t.Context(), &event.RetrainDue{Project: 1, At: time.Now(), Reason: "command"}))
		time.Sleep(time.Minute)
		stop()
	})
	// A copy without free pages is half as large.
	from, err := bbolt.Open(filepath.Join(dir, "hone.db"), 0o600, &bbolt.Options{ReadOnly: true})
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(goldenData), 0o755))
	require.NoError(t, os.RemoveAll(goldenData))
	to, err := bbolt.Open(goldenData, 0o644, &bbolt.Options{PageSize: 4096})
	require.NoError(t, err)
	require.NoError(t, bbolt.Compact(to, from, 0))
	require.NoError(t, errors.Join(from.Close(), to.Close()))
}

// gathered is the sum of a metric over its labels.
func gathered(t *testing.T, r *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
		return sum
	}
	t.Errorf("there is no metric %s", name)
	return 0
}
