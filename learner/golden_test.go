package learner_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/golden"
	"github.com/hone-ml/hone/learner"
)

// everyKind asks in every way there is.
const everyKind = `<View><Text name="t" value="$text"/><Text name="u" value="$other"/>
	<Choices name="c" toName="t"><Choice value="app"/><Choice value="card"/></Choices>
	<Choices name="m" toName="t" choice="multiple"><Choice value="urgent"/><Choice value="rude"/></Choices>
	<Taxonomy name="tax" toName="t"><Choice value="Animal"><Choice value="Cat"/></Choice><Choice value="Plant"/></Taxonomy>
	<Rating name="stars" toName="t" maxRating="4"/><Number name="n" toName="t" min="0" max="20"/><Pairwise name="pw" toName="t,u"/>
	<Labels name="s" toName="t"><Label value="thing"/><Label value="deed"/></Labels></View>`

// What the learner stores of a project: the form of its checkpoint, the keys of its
// heads, the settings of its versions and the record beside them. Numbers that are learned are not held here.
func TestGoldenStored(t *testing.T) {
	c := &event.Changed{Project: 1, At: at(1), LabelConfig: everyKind}
	for i := 1; i <= 40; i++ {
		text, label := sentence(uint64(i))
		if label == "money" {
			label = "app"
		}
		c.Tasks = append(c.Tasks, event.Task{ID: event.TaskID(i), Data: data(text), UpdatedAt: at(1)})
		paths := [][]string{{"Animal"}, {"Animal", "Cat"}}
		c.Annotations = append(c.Annotations, event.Annotation{
			ID: event.AnnotationID(i), Task: event.TaskID(i), UpdatedAt: at(1), Result: result(
				region("c", label), region("m", []string{"urgent", "rude"}[i%2]),
				valued("tax", "taxonomy", "taxonomy", paths[:1+i%2]), valued("stars", "rating", "rating", 1+i%4),
				valued("n", "number", "number", i%20), valued("pw", "pairwise", "selected", []string{"left", "right"}[i%2]),
				valued("s", "labels", "labels", []string{"thing"}),
			),
		})
		c.Annotations[i-1].Result = bytes.Replace(c.Annotations[i-1].Result, []byte(`"labels":["thing"]`), []byte(`"labels":["thing"],"start":0,"end":2`), 1)
	}
	for name, o := range map[string]learner.Options{"fast": {Encoder: ngram.New()}, "slow": {}} {
		t.Run(name, func(t *testing.T) {
			d := openDisk(t)
			if name == "slow" {
				o = with(d, new(slow))
			}
			o.Now = func() time.Time { return at(9) }
			l := start(t, d, o)
			apply(t, l, c)
			if name == "slow" {
				encoded(t, l)
			}
			rest(t, l)
			must(t, l.Stop(bg))
			stored, err := d.Load(bg, 1)
			must(t, err)
			var out strings.Builder
			spellCheckpoint(t, &out, stored.Checkpoint)
			for _, v := range stored.Versions {
				settings := spellJSON(t, v.Settings)
				v.Settings, v.Accuracy = nil, nil
				fmt.Fprintf(&out, "version %+v\n%s\n", v, settings)
			}
			fmt.Fprintf(&out, "learner state\n%s\n", spellJSON(t, stored.LearnerState))
			golden.Check(t, "golden/stored-"+name+".txt", []byte(out.String()))
		})
	}
}

// spellCheckpoint reads a checkpoint by the description of its form alone.
func spellCheckpoint(t *testing.T, out *strings.Builder, b []byte) {
	t.Helper()
	magic, b, ok := bytes.Cut(b, []byte("\n"))
	if !ok {
		t.Fatal("the checkpoint has no magic")
	}
	fmt.Fprintf(out, "%q\n", string(magic)+"\n")
	uvarint := func() int {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > 1<<20 {
			t.Fatalf("no length in %.20q", b)
		}
		b = b[n:]
		return int(v)
	}
	for len(b) > 0 {
		n := uvarint()
		key := string(b[:n])
		b = b[n:]
		examples := uvarint()
		fmt.Fprintf(out, "head %q: %d examples\n", key, examples)
		id := int64(0)
		for i := range examples {
			by, n := binary.Varint(b)
			b = b[n:]
			id += by
			numbers := uvarint()
			b = b[2*numbers:]
			if i == 0 || i == examples-1 {
				fmt.Fprintf(out, "  %d: %d numbers\n", id, numbers)
			}
		}
	}
}

// spellJSON is JSON on several lines, without its numbers.
func spellJSON(t *testing.T, b []byte) string {
	t.Helper()
	var v any
	must(t, json.Unmarshal(b, &v))
	out, err := json.MarshalIndent(withoutNumbers(v), "", "  ")
	must(t, err)
	return string(out)
}

// withoutNumbers has "number" in place of each, and of a list of numbers.
func withoutNumbers(v any) any {
	switch v := v.(type) {
	case float64:
		return "number"
	case map[string]any:
		for k := range v {
			v[k] = withoutNumbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = withoutNumbers(v[i])
		}
		if len(v) > 0 && v[0] == "number" {
			return fmt.Sprintf("%d numbers", len(v))
		}
		if same := slices.Compact(slices.Clone(v)); len(same) == 1 {
			return fmt.Sprintf("%d times %v", len(v), same[0])
		}
	}
	return v
}
