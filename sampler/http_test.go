package sampler

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/sampler/push"
)

// realBrain is a brain whose tasks have Label Studio's ids.
type realBrain struct {
	*brain
	ids map[event.TaskID]bool
}

func (r realBrain) AllTasks(ctx context.Context, p event.ProjectID) iter.Seq2[event.TaskState, error] {
	return func(yield func(event.TaskState, error) bool) {
		for _, id := range slices.Sorted(maps.Keys(r.ids)) {
			if t, err := r.brain.Tasks(ctx, p, []event.TaskID{id}); !yield(t[0], err) {
				return
			}
		}
	}
}

func (r realBrain) Regions(context.Context, event.ProjectID, []event.Task) ([]json.RawMessage, error) {
	return []json.RawMessage{[]byte(`[{"id":"h","from_name":"topic","to_name":"text","type":"choices","value":{"choices":["bank"]}}]`)}, nil
}

// Label Studio hands out the tasks in the order of the queue, label by label, and
// over a change of version. The stand-in is used unless HONE_LS_URL names a real
// one, which scripts/label-studio run starts.
func TestLabelStudioFollowsTheQueue(t *testing.T) {
	ctx := t.Context()
	url, token := os.Getenv("HONE_LS_URL"), os.Getenv("HONE_LS_TOKEN")
	if url == "" {
		ls := lstest.New()
		defer ls.Close()
		url, token = ls.URL, lstest.Token
	}
	c, err := labelstudio.NewClient(labelstudio.Options{URL: url, Token: secret.Secret(token)})
	require.NoError(t, err)
	defer c.Close()
	p, err := c.CreateProject(ctx, "sampler test", `<View><Text name="text" value="$text"/><Choices name="topic" toName="text"><Choice value="bank"/><Choice value="travel"/></Choices></View>`)
	require.NoError(t, err)
	defer func() { assert.NoError(t, c.DeleteProject(context.Background(), p.ID)) }()
	sampling := labelstudio.UncertaintySampling
	_, err = c.PatchProject(ctx, p.ID, labelstudio.ProjectPatch{Sampling: &sampling})
	require.NoError(t, err)
	var tasks []map[string]any
	for i := range 60 {
		tasks = append(tasks, map[string]any{"data": map[string]string{"text": fmt.Sprintf("text %d", i)}})
	}
	ids, err := c.Import(ctx, p.ID, tasks)
	require.NoError(t, err)

	b := realBrain{brain: newBrain(1 << 30), ids: map[event.TaskID]bool{}}
	for _, id := range ids {
		b.ids[id] = true
	}
	seen := make(chan Observation, 1000)
	o := Defaults()
	o.Pool, o.Scorer, o.Predictor, o.LabelStudio = b, b, b, c
	o.QueueSize, o.Settle, o.PushRate = 10, 50*time.Millisecond, 1000
	o.Observer = func(x Observation) { seen <- x }
	s, err := New(o)
	require.NoError(t, err)
	require.NoError(t, s.Start(ctx))
	defer func() { assert.NoError(t, s.Stop(ctx)) }()
	wait := func(stage Stage, rank uint64) {
		t.Helper()
		late := time.After(time.Minute)
		for {
			select {
			case x := <-seen:
				require.NoError(t, x.Err)
				if x.Stage == stage && x.Rank >= rank {
					return
				}
			case <-late:
				st, _ := s.Status(p.ID)
				t.Fatalf("no %s of ranking %d: %+v", stage, rank, st)
			}
		}
	}
	s.Refresh(p.ID)
	wait(push.Cleaned, 1)

	var lags []time.Duration
	for n := range 8 {
		next, err := c.NextTask(ctx, p.ID)
		require.NoError(t, err)
		require.Equal(t, s.Next(p.ID)[0].Task, next.ID, "label %d", n)
		a, err := c.CreateAnnotation(ctx, next.ID, labelstudio.AnnotationWrite{Result: json.RawMessage(`[{"id":"a","from_name":"topic","to_name":"text","type":"choices","value":{"choices":["bank"]}}]`)})
		require.NoError(t, err)
		require.NotZero(t, a.ID)
		version := fmt.Sprintf("hone-%d", 1+n/4)
		b.is(func() { b.labelled[next.ID] = true; b.salt++; b.version = version })
		before, _ := s.Status(p.ID)
		require.NoError(t, s.Learned(ctx, []event.Event{&event.Learned{Project: p.ID, Since: time.Now(), Version: version, Tasks: []event.TaskID{next.ID}}}, event.Cursor{}))
		wait(push.FrontPushed, before.Rank+1)
		st, _ := s.Status(p.ID)
		lags = append(lags, st.FrontLag)
		wait(push.Cleaned, before.Rank+1)
	}
	t.Logf("from hearing of a label to the new head being in Label Studio: %v", lags)
	project, err := c.Project(ctx, p.ID)
	require.NoError(t, err)
	counts, err := c.ModelVersions(ctx, p.ID)
	require.NoError(t, err)
	assert.Equal(t, "hone-2", project.ModelVersion)
	assert.Len(t, counts, 1, "superseded predictions are gone: %v", counts)

	// Somebody deletes all predictions; then one row turns out to be gone.
	require.NoError(t, c.DeleteTaskPredictions(ctx, p.ID))
	st, _ := s.Status(p.ID)
	b.is(func() { b.salt++ })
	require.NoError(t, s.Learned(ctx, []event.Event{&event.Learned{Project: p.ID, Since: time.Now(), Version: "hone-2"}}, event.Cursor{}))
	wait(push.Cleaned, st.Rank+1)
	counts, err = c.ModelVersions(ctx, p.ID)
	require.NoError(t, err)
	t.Logf("after deleting all: %v", counts)

	// A project that is deleted is left alone.
	require.NoError(t, c.DeleteProject(ctx, p.ID))
	s.Refresh(p.ID)
	for x := range seen {
		if x.Stage == Failed {
			assert.ErrorIs(t, x.Err, push.ErrGone)
			break
		}
	}
}

// An answer that never arrives: the prediction is there, nobody was told, and it
// must not be written twice.
func TestLostAnswersLeaveNoDoubles(t *testing.T) {
	ls := lstest.New()
	defer ls.Close()
	c, err := labelstudio.NewClient(labelstudio.Options{URL: ls.URL, Token: lstest.Token})
	require.NoError(t, err)
	defer c.Close()
	p, err := c.CreateProject(t.Context(), "sampler test", `<View><Text name="text" value="$text"/><Choices name="topic" toName="text"><Choice value="bank"/><Choice value="travel"/></Choices></View>`)
	require.NoError(t, err)
	b := realBrain{brain: newBrain(1 << 30), ids: map[event.TaskID]bool{}}
	ids, err := c.Import(t.Context(), p.ID, []map[string]string{{"text": "a"}, {"text": "b"}, {"text": "c"}, {"text": "d"}, {"text": "e"}, {"text": "f"}})
	require.NoError(t, err)
	for _, id := range ids {
		b.ids[id] = true
	}
	var writes atomic.Int32
	ls.SetFault(func(r *http.Request) lstest.Fault {
		if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/api/predictions") {
			return lstest.Fault{CutAfter: writes.Add(1) == 3}
		}
		return lstest.Fault{}
	})
	seen := make(chan Observation, 100)
	o := Defaults()
	o.Pool, o.Scorer, o.LabelStudio = b, b, c
	o.Settle, o.PushRate, o.Observer = time.Millisecond, 1000, func(x Observation) { seen <- x }
	s, err := New(o)
	require.NoError(t, err)
	s.Refresh(p.ID)
	require.NoError(t, s.Start(t.Context()))
	failed := 0
	for x := range seen {
		if x.Stage == Failed {
			failed++
		}
		if x.Stage == push.Cleaned {
			break
		}
	}
	require.NoError(t, s.Stop(t.Context()))
	assert.Equal(t, 1, failed)
	var rows []labelstudio.PredictionRow
	for r, err := range c.Predictions(t.Context(), p.ID) {
		require.NoError(t, err)
		rows = append(rows, r)
	}
	require.Len(t, rows, 6)
	slices.SortFunc(rows, func(a, b labelstudio.PredictionRow) int { return cmp.Compare(*a.Score, *b.Score) })
	for i, item := range s.Next(p.ID) {
		assert.Equal(t, item.Task, rows[i].Task)
	}
	assert.EqualValues(t, 6, writes.Load())
}
