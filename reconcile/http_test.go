package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
	"github.com/hone-ml/hone/state"
)

// What Label Studio shows of changes that no webhook told. The stand-in is used
// unless HONE_LS_URL names a real one, which scripts/label-studio run starts.
func TestLabelStudio(t *testing.T) {
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
	config := `<View><Text name="text" value="$text"/><Choices name="topic" toName="text"><Choice value="bank"/><Choice value="travel"/></Choices></View>`
	p, err := c.CreateProject(ctx, "reconcile test", config)
	require.NoError(t, err)
	defer func() { assert.NoError(t, c.DeleteProject(context.Background(), p.ID)) }()
	says := func(label string) labelstudio.AnnotationWrite {
		return labelstudio.AnnotationWrite{Result: json.RawMessage(fmt.Sprintf(`[{"id":"a","from_name":"topic","to_name":"text","type":"choices","value":{"choices":[%q]}}]`, label))}
	}
	var tasks []map[string]any
	for i := range 25 {
		tasks = append(tasks, map[string]any{"data": map[string]string{"text": fmt.Sprintf("Zoë's <b>text</b> %d 😀", i)}})
	}
	ids, err := c.Import(ctx, p.ID, tasks)
	require.NoError(t, err)
	var annotations []event.Annotation
	for _, id := range ids[:5] {
		a, err := c.CreateAnnotation(ctx, id, says("bank"))
		require.NoError(t, err)
		annotations = append(annotations, a)
	}

	store, err := state.Open(t.TempDir(), state.Options{})
	require.NoError(t, err)
	defer func() { assert.NoError(t, store.Close()) }()
	l := &log{store: store}
	r, err := New(Options{Index: store, Marks: store, Log: l, Publisher: l, Source: c, PageSize: 10})
	require.NoError(t, err)
	run := func(full bool) Status {
		t.Helper()
		w := r.project(p.ID)
		w.runOnce(ctx, request{changed: true, full: full})
		st := w.snapshot()
		require.Empty(t, st.Error)
		return st
	}
	same := func() {
		t.Helper()
		have, err := store.Tasks(ctx, p.ID, nil)
		require.NoError(t, err)
		got := map[event.TaskID]event.TaskState{}
		for _, h := range have {
			got[h.Task.ID] = h
		}
		n := 0
		for task, err := range c.Tasks(ctx, p.ID, labelstudio.TaskQuery{}) {
			require.NoError(t, err)
			n++
			mine, ok := got[task.ID]
			require.True(t, ok, "task %d", task.ID)
			require.JSONEq(t, string(task.Data), string(mine.Task.Data))
			require.Len(t, mine.Annotations, len(task.Annotations), "task %d", task.ID)
			for i := range task.Annotations {
				require.True(t, sameAnnotation(task.Annotations[i], mine.Annotations[i]), "%+v, %+v", task.Annotations[i], mine.Annotations[i])
			}
		}
		require.Len(t, have, n)
	}
	st := run(false)
	same()
	assert.Equal(t, 30, st.Stated)

	_, err = admin.UpdateAnnotation(ctx, c, annotations[0].ID, says("travel"))
	require.NoError(t, err)
	require.NoError(t, admin.DeleteAnnotation(ctx, c, annotations[1].ID))
	require.NoError(t, admin.ConvertToDraft(ctx, c, annotations[2].ID)) // sends no webhook
	_, err = c.CreateAnnotation(ctx, ids[9], says("bank"))
	require.NoError(t, err)
	require.NoError(t, admin.PatchTask(ctx, c, ids[10], map[string]string{"text": "another text"}))
	st = run(false)
	same()
	assert.Equal(t, 5, st.Stated)

	_, err = c.CreatePrediction(ctx, labelstudio.PredictionWrite{Task: ids[12], Score: 0.001, ModelVersion: "hone-1"})
	require.NoError(t, err)
	st = run(false)
	assert.Zero(t, st.Stated, "hone's own prediction is no news")
	assert.NotZero(t, st.Read)

	require.NoError(t, admin.DeleteTask(ctx, c, ids[3])) // with an annotation
	require.NoError(t, admin.DeleteTask(ctx, c, ids[20]))
	st = run(true)
	same()
	assert.Equal(t, 2, st.Stated)
	assert.Zero(t, run(true).Stated)

	l.take()
	require.NoError(t, c.DeleteProject(ctx, p.ID))
	run(false)
	said := l.take()
	require.Len(t, said, 1)
	assert.True(t, said[0].Gone)
}
