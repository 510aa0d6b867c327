package learner_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/counts"
	"github.com/hone-ml/hone/learner/report"
)

const counted = `<View><Text name="t" value="$text"/><Text name="u" value="$other"/>
	<Choices name="c" toName="t"><Choice value="card"/><Choice value="app"/></Choices><Pairwise name="pw" toName="t,u"/>
	<View visibleWhen="choice-selected" whenTagName="c"><Rating name="stars" toName="t"/></View>
	<TextArea name="why" toName="t"/><Choices name="lost" toName="nobody"><Choice value="a"/><Choice value="b"/></Choices></View>`

// Each annotation is counted once, by the reason why it was not learned, and each
// suggestion by what became of it; after a restart, and under another config and back.
func TestEveryReasonIsCounted(t *testing.T) {
	const (
		good, without, alike = `{"text":"my card","other":"the app"}`, `{"other":"the app"}`, `{"text":"same","other":"same"}`
		card                 = `{"from_name":"c","to_name":"t","type":"choices","value":{"choices":["card"]}}`
		left                 = `{"from_name":"pw","type":"pairwise","value":{"selected":"left"}}`
	)
	from := func(origin string) string { return strings.Replace(card, "{", `{"origin":"`+origin+`",`, 1) }
	c := &event.Changed{Project: 1, Source: event.FromWebhook, At: at(1), LabelConfig: counted}
	for i, a := range []struct {
		data, result string
		event.Annotation
	}{
		{good, card, event.Annotation{}},
		{good, card, event.Annotation{Cancelled: true, Suggested: true}},
		{good, from("prediction"), event.Annotation{FromModel: true, Suggested: true, Untimed: true}},
		{good, from("prediction"), event.Annotation{Suggested: true, Untimed: true}}, // its prediction is gone
		{good, `{"from_name":"why","type":"textarea","value":{"text":["a prediction"]}}`, event.Annotation{}},
		{good, `{"from_name":"stars","type":"rating","value":{"rating":3}}`, event.Annotation{}}, // hidden
		{good, `{"from_name":"c","type":"choices","value":{"choices":["gone"]}}`, event.Annotation{}},
		{without, card, event.Annotation{}},
		{alike, left, event.Annotation{}},
		{good, from("prediction"), event.Annotation{Suggested: true}},
		{good, from("prediction"), event.Annotation{}}, // its prediction is gone
		{good, from("prediction-changed"), event.Annotation{}},
		{good, from("prediction") + "," + left, event.Annotation{Suggested: true}},
		{good, card, event.Annotation{Suggested: true}},
		{good, ``, event.Annotation{Suggested: true}},
	} {
		a.ID, a.Task, a.UpdatedAt = event.AnnotationID(i+1), event.TaskID(i+1), at(1)
		a.Result = json.RawMessage("[" + a.result + "]")
		c.Tasks = append(c.Tasks, event.Task{ID: a.Task, Data: json.RawMessage(a.data), UpdatedAt: at(1)})
		c.Annotations = append(c.Annotations, a.Annotation)
	}
	want := report.Status{
		Annotations: counts.Annotations{Seen: 15, Learned: 6, Skipped: 1, FromPredictions: 2, Unanswered: 3, Refused: 1, NoText: 1, IdenticalPair: 1},
		Suggestions: counts.Suggestions{Accepted: 2, Changed: 2, Rejected: 1, Empty: 1},
		NoText:      1, IdenticalPairs: 1,
	}
	check := func(when string, l *learner.Learner, want report.Status) {
		t.Helper()
		got := status(t, l)
		got = report.Status{Annotations: got.Annotations, Suggestions: got.Suggestions, NoText: got.NoText, IdenticalPairs: got.IdenticalPairs}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", when, d)
		}
	}
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	apply(t, l, c)
	check("heard", l, want)
	apply(t, l, c)
	check("heard twice", l, want)
	for data, lacks := range map[string]event.Lack{good: "", without: event.LackText, alike: event.LackDifference, `{}`: event.LackText, `{"text":" ","other":"\n"}`: event.LackText} {
		if got := l.Lacks(1, json.RawMessage(data)); got != lacks {
			t.Errorf("%s lacks %q, want %q", data, got, lacks)
		}
	}
	check("loaded again", start(t, d, learner.Options{}), want)

	none := want
	none.Annotations = counts.Annotations{Seen: 15, NoControl: 12, Skipped: 1, FromPredictions: 2}
	none.NoText, none.IdenticalPairs = 0, 0
	apply(t, l, &event.Changed{Project: 1, Source: event.FromWebhook, At: at(2), LabelConfig: `<View><Text name="t" value="$text"/><TextArea name="why" toName="t"/></View>`})
	check("nothing can be learned any more", l, none)
	if f := status(t, l).Fault; !strings.Contains(f, "nothing hone can learn") || !strings.Contains(f, "why") {
		t.Errorf("the fault is %q", f)
	}
	apply(t, l, &event.Changed{Project: 1, Source: event.FromWebhook, At: at(3), LabelConfig: counted})
	check("the config is back", l, want)
	if f := status(t, l).Fault; f != "" {
		t.Errorf("the fault is %q", f)
	}
	var gone []event.TaskID
	for _, task := range c.Tasks {
		gone = append(gone, task.ID)
	}
	apply(t, l, &event.Changed{Project: 1, Source: event.FromSetup, At: at(4), DeletedTasks: gone})
	check("all tasks are deleted", l, report.Status{})
}
