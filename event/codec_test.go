package event

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var everyKind = []Event{
	&Changed{
		Project: 3, Source: FromWebhook, At: time.Date(2026, 11, 23, 20, 50, 33, 468784000, time.UTC),
		Title: `a "title" <b>&`, LabelConfig: `<View><Text name="t" value="$t"/></View>`,
		Tasks:       []Task{{ID: 7, Data: json.RawMessage(`{ "text" : "a <b> \u2028 ü" }`)}},
		Annotations: []Annotation{{ID: 8, Task: 7, Result: json.RawMessage(`[ ]`)}},
	},
	&ReconcileDue{Project: 3, Full: true, Reason: "a test"},
	&RetrainDue{Project: 3, Reason: "a test"},
	&RollbackDue{Project: 3, To: "hone-1"},
	&Configured{Project: 3, Set: map[string]string{"queue": "5"}, Reset: []string{"strategy"}},
	&Learned{Project: 3, Version: "hone-2", Tasks: []TaskID{7}},
}

func TestEncodeIsTheEnvelopeAsJSON(t *testing.T) {
	for _, e := range everyKind {
		got, err := Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(envelope{Version: codecVersion, Kind: e.kind(), Data: data})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", e.kind(), diff)
		}
		back, err := Decode(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Encode(back)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(got), string(again)); diff != "" {
			t.Errorf("%s changed on the way (-want +got):\n%s", e.kind(), diff)
		}
	}
}
