package sampler

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// All of a project's predictions are listed once, and then again only when
// something is wrong: not because people label, tasks come and go, or users have
// retrieved thousands of predictions.
func TestNothingIsListedAgainWhileNothingIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		ls := lstest.NewInMemory("http://studio.internal:8080", nil)
		defer ls.Close()
		c, err := labelstudio.NewClient(labelstudio.Options{URL: ls.URL, Token: lstest.Token, Transport: lstest.Direct(ls.Handler())})
		require.NoError(t, err)
		defer c.Close()
		p, err := c.CreateProject(ctx, "many answers", `<View><Text name="text" value="$text"/><Choices name="topic" toName="text"><Choice value="bank"/><Choice value="travel"/></Choices></View>`)
		require.NoError(t, err)
		var texts []map[string]string
		for i := range 300 {
			texts = append(texts, map[string]string{"text": fmt.Sprint("text ", i)})
		}
		ids, err := c.Import(ctx, p.ID, texts)
		require.NoError(t, err)
		var answers []labelstudio.PredictionWrite // as Label Studio keeps them of /predict
		for _, id := range ids {
			answers = append(answers, labelstudio.PredictionWrite{Task: id, Score: 0.7, ModelVersion: "hone-1"})
		}
		require.NoError(t, c.ImportPredictions(ctx, p.ID, answers))
		b := realBrain{brain: newBrain(1 << 30), ids: map[event.TaskID]bool{}}
		for _, id := range ids {
			b.ids[id] = true
		}
		o := Defaults()
		o.Pool, o.Scorer, o.Predictor, o.LabelStudio = b, b, b, c
		s, err := New(o)
		require.NoError(t, err)
		require.NoError(t, s.Start(ctx))
		learned := func(deleted bool, task event.TaskID) {
			b.is(func() {
				b.salt++
				b.deleted[task], b.labelled[task] = deleted, !deleted
			})
			require.NoError(t, s.Learned(ctx, []event.Event{&event.Learned{Project: p.ID, Since: time.Now(), Version: "hone-1", Tasks: []event.TaskID{task}}}, event.Cursor{}))
		}
		s.Refresh(p.ID)
		pass := func(d time.Duration) {
			time.Sleep(d) // simulated
			synctest.Wait()
		}
		pass(30 * time.Second)
		for i := range 60 {
			task := s.Next(p.ID)[0].Task
			if i%4 == 3 {
				// The news of it is late, or early for the next count.
				require.NoError(t, admin.DeleteTasks(ctx, c, p.ID, task))
				learned(true, task)
			} else {
				_, err := c.CreateAnnotation(ctx, task, labelstudio.AnnotationWrite{Result: json.RawMessage(`[]`)})
				require.NoError(t, err)
				learned(false, task)
			}
			pass(100 * time.Second)
		}
		lists, checks := 0, 0
		for _, r := range ls.Requests() {
			if r.Method != http.MethodGet {
				continue
			}
			switch r.Path {
			case "/api/predictions/":
				lists++
			case fmt.Sprintf("/api/projects/%d/model-versions/", p.ID):
				checks++
			}
		}
		assert.Equal(t, 1, lists)
		assert.Greater(t, checks, 60)
		next, err := c.NextTask(ctx, p.ID)
		require.NoError(t, err)
		assert.NotZero(t, next.ID)
		require.NoError(t, s.Stop(ctx))
	})
}
