package state

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/golden"
)

// The bytes of every record, so that what is stored is read by whatever comes.
func TestGoldenRecords(t *testing.T) {
	at := version{at: sec(5).Add(7), hash: 0x0102030405060708}
	full := annotation(8, 7, 5, "a")
	full.Cancelled, full.GroundTruth, full.FromModel, full.CompletedBy = true, true, true, 9
	suggested := annotation(8, 7, 5, "a")
	suggested.Suggested, suggested.Untimed = true, true
	meta, err := encodeJSON(golden.Fill(&event.Meta{}))
	must(t, err)
	settings, err := encodeJSON(map[string]string{"queue": "12", "strategy": "entropy"})
	must(t, err)
	versions, err := encodeJSON([]event.Version{*golden.Fill(&event.Version{})})
	must(t, err)
	var out strings.Builder
	for _, r := range []struct {
		what  string
		bytes []byte
	}{
		{"key of a task", idKey(event.TaskID(7))},
		{"key of a result", resultKey(7, -8)},
		{"task", encodeTask(task(7, 5, `{"text":"t"}`), at, 3)},
		{"tombstone", encodeTombstone(3)},
		{"annotation", encodeAnnotation(full, at)},
		{"annotation made from a prediction", encodeAnnotation(suggested, at)},
		{"annotation that is empty", encodeAnnotation(event.Annotation{ID: 8, Task: 7, UpdatedAt: sec(5)}, at)},
		{"register, stated", encodeRef(annotationRef{task: 7, stamp: at, at: 3})},
		{"register, deleted", encodeRef(annotationRef{deleted: true, at: 3})},
		{"meta", meta},
		{"versions", versions},
		{"settings", settings},
		{"learner state", encodeLearnerState([]byte("opaque"))},
	} {
		fmt.Fprintf(&out, "%s\n  %x\n  %q\n", r.what, r.bytes, r.bytes)
	}
	golden.Check(t, "golden/records.txt", []byte(out.String()))
}

// A file with something in every bucket, key by key.
func TestGoldenFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	c := &event.Changed{
		Project: 3, CreatedAt: 1_600_000_000, Source: event.FromWebhook, At: sec(1), Title: "a title", LabelConfig: "<View/>", Position: 2,
		Tasks:       []event.Task{task(7, 2, `{"text":"t"}`), task(9, 2, `{ "b": 1, "a": "ü" }`)},
		Annotations: []event.Annotation{annotation(8, 7, 2, "a"), annotation(10, 9, 2, "b")},
	}
	apply(t, s, c)
	deltas, err := s.Plan(ctx, []*event.Changed{{
		Project: 3, Source: event.FromWebhook, At: sec(3), DeletedTasks: []event.TaskID{9, 11}, DeletedAnnotations: []event.AnnotationID{12}, Position: 5,
	}})
	must(t, err)
	commit := commitOf(deltas)
	commit.Projects[0].Checkpoint = []byte("a checkpoint")
	commit.Projects[0].Versions = []event.Version{{Name: "hone-1", CreatedAt: sec(3), Reason: "first", Live: true, Labels: 1, Settings: []byte("{}")}}
	commit.Projects[0].LearnerState = []byte(`{"snapshot":1}`)
	commit.Projects[0].Settings = map[string]string{"queue": "12"}
	must(t, s.Commit(ctx, commit))
	must(t, s.SetWatermark(ctx, 3, sec(4)))
	must(t, s.PutAcquisitions(ctx, 3, map[event.TaskID]event.Acquisition{7: *golden.Fill(&event.Acquisition{})}))
	must(t, s.PutAccuracy(ctx, 3, *golden.Fill(&event.AccuracyPoint{})))
	must(t, s.PutComparison(ctx, 3, *golden.Fill(&event.Comparison{})))
	must(t, s.PutAdapter(ctx, 3, "0123456789abcdef", []byte("an adapter")))
	must(t, s.ChangeVectors(ctx, "slow/1", map[event.ContentKey][]byte{{1, 2}: []byte("a vector")}, nil))
	must(t, s.SetCredential(ctx, Credential{Host: "http://ls", Token: "secret", At: sec(4)}))

	// The moment of the first watermark is the clock's.
	must(t, s.db.Update(func(tx *bbolt.Tx) error {
		b := openProject(tx, 3).project
		return b.Put(keyWatermark, append(append([]byte{}, b.Get(keyWatermark)[:1+timeLen]...), make([]byte, timeLen)...))
	}))
	text, err := golden.Bolt(s.db)
	must(t, err)
	credential, err := os.ReadFile(filepath.Join(dir, CredentialFile))
	must(t, err)
	var holder map[string]json.RawMessage
	b, err := os.ReadFile(filepath.Join(dir, ownerName))
	must(t, err)
	must(t, json.Unmarshal(b, &holder))
	files, err := os.ReadDir(dir)
	must(t, err)
	for _, f := range files {
		text += fmt.Sprintf("%s\n", f.Name())
	}
	for _, key := range []string{"pid", "host", "since"} {
		text += fmt.Sprintf("%s %s: %t\n", ownerName, key, holder[key] != nil)
	}
	golden.Check(t, "golden/file.txt", []byte(text+CredentialFile+" "+string(credential)))
}
