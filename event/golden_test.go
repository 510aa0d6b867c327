package event

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hone-ml/hone/internal/golden"
)

// Every kind of event as it stands in the log, with every field set.
func TestGoldenCodec(t *testing.T) {
	var lines []string
	for _, e := range []Event{
		golden.Fill(&Changed{}), golden.Fill(&ReconcileDue{}), golden.Fill(&RetrainDue{}), golden.Fill(&RollbackDue{}), golden.Fill(&Learned{}), golden.Fill(&Configured{}),
		&Changed{}, &ReconcileDue{}, &RetrainDue{}, &RollbackDue{}, &Learned{}, &Configured{},
	} {
		b, err := Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(e.Topic())+" "+string(b))
	}
	lines = append(lines, string(DeadLetters), string(FromWebhook), string(FromReconcile), string(FromSetup))
	golden.Check(t, "codec.txt", []byte(strings.Join(lines, "\n")+"\n"))
}

// What is stored as JSON beside the events.
func TestGoldenStored(t *testing.T) {
	golden.JSON(t, "stored.json", []any{
		golden.Fill(&Meta{}), Meta{}, golden.Fill(&Version{}), Version{}, golden.Fill(&TaskState{}), TaskState{Task: Task{Data: json.RawMessage("{}")}},
	})
}
