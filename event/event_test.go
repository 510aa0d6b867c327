package event_test

import (
	"errors"
	"testing"

	"github.com/hone-ml/hone/event"
)

func TestWhatAnEventIsAbout(t *testing.T) {
	for _, c := range []struct {
		of, all event.Event
		kind    string
		topic   event.Topic
	}{
		{&event.Changed{Project: 7}, &event.Changed{}, "changed", event.Changes},
		{&event.RetrainDue{Project: 7}, &event.RetrainDue{}, "retrain_due", event.Changes},
		{&event.RollbackDue{Project: 7}, &event.RollbackDue{}, "rollback_due", event.Changes},
		{&event.ReconcileDue{Project: 7}, &event.ReconcileDue{}, "reconcile_due", event.Reconciles},
		{&event.Learned{Project: 7}, &event.Learned{}, "learned", event.Snapshots},
	} {
		if event.Kind(c.of) != c.kind || c.of.Topic() != c.topic || c.of.ProjectOf() != 7 {
			t.Errorf("%T: kind %q, topic %q, project %d", c.of, event.Kind(c.of), c.of.Topic(), c.of.ProjectOf())
		}
		_, change := c.of.(*event.Changed)
		if event.ForAll(c.of) || event.ForAll(c.all) == change {
			t.Errorf("%T: of project 7 for all: %v, of none: %v", c.of, event.ForAll(c.of), event.ForAll(c.all))
		}
	}
}

func TestWhatPeopleDidWithATask(t *testing.T) {
	label, skip := event.Annotation{ID: 1}, event.Annotation{ID: 2, Cancelled: true}
	for _, c := range []struct {
		annotations       []event.Annotation
		labelled, skipped bool
	}{
		{nil, false, false},
		{[]event.Annotation{skip}, false, true},
		{[]event.Annotation{skip, label}, true, true},
		{[]event.Annotation{label}, true, false},
	} {
		s := event.TaskState{Annotations: c.annotations}
		if s.Labelled() != c.labelled || s.Skipped() != c.skipped {
			t.Errorf("%v: labelled %v, skipped %v", c.annotations, s.Labelled(), s.Skipped())
		}
	}
}

func TestAnEmptyDeltaChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		d     event.Delta
		empty bool
	}{
		"nothing":   {event.Delta{}, true},
		"a task":    {event.Delta{Tasks: []event.TaskState{{}}}, false},
		"a config":  {event.Delta{ConfigChanged: true}, false},
		"a new one": {event.Delta{New: true}, false},
		"only meta": {event.Delta{Meta: event.Meta{Project: 1}}, true},
	} {
		if c.d.Empty() != c.empty {
			t.Errorf("%s: empty %v", name, c.d.Empty())
		}
	}
}

func TestDecodeSaysWhyItCannotRead(t *testing.T) {
	good, err := event.Encode(&event.RetrainDue{Project: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []string{
		"", "{", "null", string(good[:len(good)-1]), `{"v":0}`, `{"v":99,"kind":"changed","data":{}}`, `{"v":1,"kind":"dreamt","data":{}}`,
		`{"v":1,"kind":"changed","data":{"project":"x"}}`,
	} {
		if e, err := event.Decode([]byte(b)); !errors.Is(err, event.ErrUnreadable) {
			t.Errorf("%q is read as %v, error %v", b, e, err)
		}
	}
}
