package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// labelConfigs are those that each project goes through.
var labelConfigs = [2][]string{{
	apptest.LabelConfig,
	`<View><Text name="t" value="$text"/><Choices name="topic" toName="t"><Choice value="Money"/><Choice value="Travel"/><Choice value="Food"/><Choice value="Sport"/></Choices></View>`,
	`<View><Text name="t" value="$text"/><Choices name="topic" toName="t"><Choice value="Travel"/><Choice value="Food"/></Choices></View>`,
	`<View><Text name="t" value="$text"/><TextArea name="topic" toName="t"/></View>`,
}, {
	`<View><Text name="t" value="$text"/><Choices name="topic" toName="t" choice="multiple"><Choice value="Money"/><Choice value="Travel"/><Choice value="Food"/></Choices><View visibleWhen="choice-selected" whenTagName="topic" whenChoiceValue="Money,Food"><Rating name="stars" toName="t"/></View></View>`,
	`<View><Text name="t" value="$text"/><Choices name="topic" toName="t" choice="multiple"><Choice value="Money"/><Choice value="Travel"/></Choices><Rating name="stars" toName="t"/></View>`,
	`<View><Text name="t" value="$text"/><Rating name="stars" toName="t"/></View>`,
}}

func (w *world) add(p event.ProjectID, n int, r *rand.Rand) {
	data := make([]map[string]string, n)
	for i := range data {
		s, _ := apptest.Text(r.IntN(1000))
		data[i] = map[string]string{"text": s}
	}
	_, err := w.user.Import(context.Background(), p, data)
	w.must(err)
}

// answers are what a person says of a text, right nine times of ten.
func answers(data json.RawMessage, r *rand.Rand) []regions.Region {
	var d struct{ Text any }
	_ = json.Unmarshal(data, &d)
	said := apptest.TopicOf(fmt.Sprint(d.Text))
	if said == "" || r.IntN(10) == 0 {
		said = apptest.Topics[r.IntN(len(apptest.Topics))]
	}
	out := apptest.Answer(said)
	if r.IntN(3) == 0 {
		out[0].Value = json.RawMessage(`{"choices":["` + said + `","` + apptest.Topics[r.IntN(len(apptest.Topics))] + `"]}`)
	}
	if r.IntN(2) == 0 {
		out = append(out, regions.Region{
			ID: "s", FromName: "stars", ToName: "t", Type: "rating",
			Value: json.RawMessage(fmt.Sprintf(`{"rating":%d}`, 1+slices.Index(apptest.Topics, said))),
		})
	}
	return out
}

// task picks a task of some project, one without annotations if it may.
func (w *world) task(r *rand.Rand, open bool) (t labelstudio.Task, ok bool) {
	all := w.there(w.any(r))
	if len(all) == 0 {
		return t, false
	}
	t = all[r.IntN(len(all))]
	for range 10 {
		if !open || len(t.Annotations) == 0 {
			break
		}
		t = all[r.IntN(len(all))]
	}
	return t, true
}

// annotation picks one that is there.
func (w *world) annotation(r *rand.Rand) (a event.Annotation, of labelstudio.Task, ok bool) {
	for _, t := range w.there(w.any(r)) {
		for _, x := range t.Annotations {
			if !ok || r.IntN(5) == 0 {
				a, of, ok = x, t, true
			}
		}
	}
	return a, of, ok
}

func (w *world) annotate(r *rand.Rand) {
	t, ok := w.task(r, r.IntN(8) > 0)
	if !ok {
		return
	}
	said := labelstudio.AnnotationWrite{LeadTime: new(1.5)}
	result := answers(t.Data, r)
	for i := range result {
		result[i].Origin = []string{"", "manual", "prediction", "prediction-changed"}[(int(t.ID)+i)%4]
	}
	if t.ID%3 == 0 { // Label Studio forgets the suggestion once it is deleted
		said.ParentPrediction = w.suggestion(t.ID)
	}
	if t.ID%5 == 0 {
		said.GroundTruth = new(true)
	}
	person := w.user
	if t.ID%3 == 0 {
		person = w.second
	}
	said.Result = result
	a, err := person.CreateAnnotation(context.Background(), t.ID, said)
	w.must(err)
	w.note("annotation %d of task %d", a.ID, t.ID)
}

// suggestion is a prediction of a task, nil without one.
func (w *world) suggestion(t event.TaskID) (id *int64) {
	for _, p := range w.projects {
		for row, err := range w.user.Predictions(context.Background(), p) {
			w.must(err)
			if row.Task == t {
				id = new(int64(row.ID))
			}
		}
	}
	return id
}

func (w *world) skip(r *rand.Rand) {
	if t, ok := w.task(r, true); ok {
		_, err := w.user.CreateAnnotation(context.Background(), t.ID, labelstudio.AnnotationWrite{Result: []any{}, Cancelled: new(true)})
		w.must(err)
	}
}

func (w *world) edit(r *rand.Rand) {
	a, t, ok := w.annotation(r)
	if !ok {
		return
	}
	write := labelstudio.AnnotationWrite{Result: answers(t.Data, r), Cancelled: new(false), GroundTruth: new(r.IntN(4) == 0)}
	if k := r.IntN(10); k == 0 {
		write = labelstudio.AnnotationWrite{Result: []any{}, Cancelled: new(true)}
	} else if k == 1 {
		write.Cancelled = new(true) // with the answer that was given before it was skipped
	}
	_, err := admin.UpdateAnnotation(context.Background(), w.user, a.ID, write)
	w.must(err)
	w.note("annotation %d is edited", a.ID)
}

func (w *world) unmake(r *rand.Rand) {
	if a, _, ok := w.annotation(r); ok {
		w.must(admin.DeleteAnnotation(context.Background(), w.user, a.ID))
		w.note("annotation %d is deleted", a.ID)
	}
}

// draft makes an annotation vanish without a word.
func (w *world) draft(r *rand.Rand) {
	if a, t, ok := w.annotation(r); ok {
		w.network.excuse(w.projectOf(t.ID), 1)
		w.must(admin.ConvertToDraft(context.Background(), w.user, a.ID))
		w.note("annotation %d becomes a draft", a.ID)
	}
}

func (w *world) projectOf(id event.TaskID) event.ProjectID {
	for _, p := range w.projects {
		if slices.ContainsFunc(w.there(p), func(t labelstudio.Task) bool { return t.ID == id }) {
			return p
		}
	}
	return 0
}

func (w *world) dropTask(r *rand.Rand) {
	if t, ok := w.task(r, false); ok {
		w.must(admin.DeleteTasks(context.Background(), w.user, w.projectOf(t.ID), t.ID))
	}
}

func (w *world) editTask(r *rand.Rand) {
	if t, ok := w.task(r, false); ok {
		s, _ := apptest.Text(r.IntN(1000))
		w.network.excuse(w.projectOf(t.ID), 1)
		w.must(admin.PatchTask(context.Background(), w.user, t.ID, map[string]string{"text": s}))
	}
}

func (w *world) patch(p event.ProjectID, patch labelstudio.ProjectPatch) {
	_, err := w.user.PatchProject(context.Background(), p, patch)
	w.must(err)
}

func (w *world) retitle(r *rand.Rand) {
	w.patch(w.any(r), labelstudio.ProjectPatch{Title: new(fmt.Sprintf("title %d", r.IntN(1000)))})
}

func (w *world) reconfigure(r *rand.Rand) {
	i := r.IntN(len(w.projects))
	configs := labelConfigs[i]
	delete(w.retrieved, w.projects[i])
	w.patch(w.projects[i], labelstudio.ProjectPatch{LabelConfig: &configs[r.IntN(len(configs))]})
}

var hostileTasks = []string{
	`{"text":5}`, `{"text":null}`, `{}`, `{"text":["a",{"b":null}]}`, `{"text":"\ud800 half a character"}`, `{"text":""}`, `{"text":1e999}`,
	`{"text":"\u0000\u202e\uffff"}`, `{"other":"loan"}`, `{"text":"` + strings.Repeat("loan ", 4000) + `"}`, `{"text":{"text":{"text":{}}}}`,
	`{"text":"loan","text":"hotel"}`, `{"Text":"loan"}`,
}

func (w *world) hostileTask(r *rand.Rand) {
	raw := json.RawMessage(hostileTasks[r.IntN(len(hostileTasks))])
	_, err := w.user.Import(context.Background(), w.any(r), []map[string]json.RawMessage{{"data": raw}})
	w.must(err)
}

var hostileAnswers = []string{
	`{"not":"a list"}`, `"a string"`, `3`, `[1,2]`, `[null]`, `[{}]`, `[[]]`, `[{"from_name":"topic","to_name":"t","type":"choices","value":null}]`,
	`[{"from_name":"topic","to_name":"t","type":"choices","value":{"choices":["Nothing of the kind"]}}]`,
	`[{"from_name":"topic","to_name":"t","type":"choices","value":{"choices":[]}}]`,
	`[{"from_name":"topic","to_name":"t","type":"choices","value":{"choices":["Money","Money"]}}]`,
	`[{"from_name":"topic","to_name":"t","type":"choices","value":{"choices":"Money"}}]`,
	`[{"from_name":"topic","to_name":"t","type":"rating","value":{"rating":4}}]`,
	`[{"from_name":"stars","to_name":"t","type":"rating","value":{"rating":1e300}}]`,
	`[{"from_name":"stars","to_name":"t","type":"rating","value":{"rating":-1}}]`,
	`[{"from_name":"stars","to_name":"t","type":"rating","value":{"rating":"5"}}]`,
	`[{"from_name":5,"to_name":[],"type":{},"value":"x"}]`,
}

func (w *world) hostileAnswer(r *rand.Rand) {
	if t, ok := w.task(r, true); ok {
		_, err := w.user.CreateAnnotation(context.Background(), t.ID, labelstudio.AnnotationWrite{Result: json.RawMessage(hostileAnswers[r.IntN(len(hostileAnswers))])})
		if err != nil && !labelstudio.IsInvalid(err) {
			w.note("the answer was made, but cannot be read: %s", oneLine(err.Error()))
		}
	}
}

// retrieve has Label Studio ask for the predictions of all tasks that have none, and
// keep them beside those of the queue.
func (w *world) retrieve(r *rand.Rand) {
	p := w.any(r)
	w.must(admin.RetrievePredictions(context.Background(), w.user, p))
	counts, err := w.user.ModelVersions(context.Background(), p)
	w.must(err)
	w.note("project %d has predictions of %v now", p, counts)
	w.remember(p)
}

// What follows is done by others than people.

// powerCut kills hone at one of its next writes.
func (w *world) powerCut(r *rand.Rand) {
	w.disk.mu.Lock()
	defer w.disk.mu.Unlock()
	w.disk.deathIn = 1 + r.IntN(12)
}

// repeatOld has a webhook come once more that came long ago.
func (w *world) repeatOld(r *rand.Rand) {
	w.network.mu.Lock()
	heard := w.network.heard
	w.network.mu.Unlock()
	if len(heard) > 0 {
		w.network.post(heard[r.IntN(len(heard))], lag(r))
	}
}

// garbage comes with the secret, as from a proxy that is out of its mind.
func (w *world) garbage(r *rand.Rand) {
	bodies := []string{`{`, `[]`, `{"action":"ANNOTATION_CREATED"}`, `{"action":5}`, `null`, `{"action":"NOBODY_KNOWS","project":{"id":1}}`, "\xff\xfe", `{"action":"ANNOTATION_CREATED","annotation":[],"task":"x","project":null}`}
	if w.network.hasHeaders() {
		w.network.post([]byte(bodies[r.IntN(len(bodies))]), lag(r))
	}
}

func (n *network) hasHeaders() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.headers != nil
}

// forge says with the secret what is not so.
func (w *world) forge(r *rand.Rand) {
	a, t, ok := w.annotation(r)
	if !ok || !w.network.hasHeaders() {
		return
	}
	p := w.projectOf(t.ID)
	row := `{"id":` + fmt.Sprint(p) + `}`
	now := time.Now().UTC()
	at := now.Format("2006-01-02T15:04:05.000000Z")
	bodies := []string{
		fmt.Sprintf(`{"action":"ANNOTATIONS_DELETED","project":%s,"annotations":[{"id":%d}]}`, row, a.ID),
		fmt.Sprintf(`{"action":"TASKS_DELETED","project":%s,"tasks":[{"id":%d}]}`, row, t.ID),
		fmt.Sprintf(`{"action":"ANNOTATION_UPDATED","project":%s,"task":{"id":%d,"data":{"text":"forged"},"updated_at":"%s"},"annotation":{"id":%d,"task":%[2]d,"result":[],"was_cancelled":true,"updated_at":"2031-01-01T00:00:00.000000Z"}}`, row, t.ID, at, a.ID),
		fmt.Sprintf(`{"action":"ANNOTATION_CREATED","project":%s,"task":{"id":%d,"data":%s,"updated_at":"%s"},"annotation":{"id":987654,"task":%[2]d,"result":[],"was_cancelled":false,"updated_at":"%[4]s"}}`, row, t.ID, t.Data, at),
	}
	w.network.excuse(p, 1000)
	i := r.IntN(len(bodies))
	if i == 2 && !now.After(t.UpdatedAt) {
		w.nightly = true // the task keeps its time, and a full comparison sees no other
	}
	w.network.post([]byte(bodies[i]), time.Millisecond)
}

// restore brings Label Studio back to an earlier day.
func (w *world) restore(*rand.Rand) {
	for _, p := range w.projects {
		w.network.excuse(p, 1000)
	}
	w.studio.Restore(w.backup)
	clear(w.retrieved)
	w.restored = time.Now()
}

func (w *world) setClock(ahead time.Duration) {
	w.studio.SetClock(ahead)
	w.clockOK = time.Time{}
	if ahead != 0 {
		w.clockOK = time.Now().Add(time.Hour)
	}
}

// wrongClock has Label Studio's clock be wrong for an hour.
func (w *world) wrongClock(r *rand.Rand) {
	for _, p := range w.projects {
		w.network.excuse(p, 1000)
	}
	w.setClock(time.Duration(r.Int64N(int64(4*time.Hour))) - 2*time.Hour)
}

func (w *world) retrain(r *rand.Rand) {
	_ = w.hone.app.Pipeline.Publish(context.Background(), &event.RetrainDue{Project: w.any(r), At: time.Now(), Reason: "somebody asks"})
}
