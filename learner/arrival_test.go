package learner

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/text/minilm"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/tune"
)

// TestRealTextsWhileVectorsArrive trains on the shipped questions when none, a
// quarter, a half and all of the examples have the transformer's part. On texts that
// have it too accuracy must never fall on the way.
func TestRealTextsWhileVectorsArrive(t *testing.T) {
	if RaceDetector {
		t.Skip("there is nothing to race; `make test-unit` runs it without")
	}
	opened, err := encoders.Open(encoders.MiniLM, encoders.Options{})
	if errors.Is(err, minilm.ErrNotBuiltIn) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	whole := opened.Blocking()
	dir := filepath.Join("..", "data", "clinc10")
	config, err := os.ReadFile(filepath.Join(dir, "label_config.xml"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := labelconfig.Parse(string(config))
	if err != nil {
		t.Fatal(err)
	}
	q := head.NewSpec(head.Decide(parsed).Learned()[0]).WithEncoder(whole)
	read := func(name string, most int) (out []model.Example) {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		for s := bufio.NewScanner(f); s.Scan() && len(out) < most; {
			var l struct{ Text, Label string }
			if err := json.Unmarshal(s.Bytes(), &l); err != nil {
				t.Fatal(err)
			}
			out = append(out, model.Example{
				ID: int64(len(out) + 1), X: whole.Encode(l.Text), Target: []model.Share{{Class: int32(slices.Index(q.Labels, l.Label)), P: 1}}, Weight: 1,
			})
		}
		return out
	}
	bare := func(examples []model.Example) []model.Example {
		out := slices.Clone(examples)
		for i := range out {
			dense := slices.Clone(out[i].X.Dense)
			clear(dense[1:])
			out[i].X.Dense = dense
		}
		return out
	}
	examples, tests := read("tasks.jsonl", 200), read("test.jsonl", 200)
	fast := q.WithPriorOf(q)
	fast.Parts, fast.Prior = q.Parts[:1], q.Prior[:1]
	m, err := tune.Build(t.Context(), fast, bare(examples), tune.Defaults(fast), 0.05, func(float64) {})
	if err != nil {
		t.Fatal(err)
	}
	_, static := q.Kind.Evaluate(q, m, bare(tests))
	t.Logf("static alone: %.3f", static)
	last := static
	for _, share := range []float64{0, 0.25, 0.5, 1} {
		have := int(share * float64(len(examples)))
		m, err := tune.Build(t.Context(), q, append(bare(examples[have:]), examples[:have]...), tune.Defaults(q), 0.05, func(float64) {})
		if err != nil {
			t.Fatal(err)
		}
		_, with := q.Kind.Evaluate(q, m, tests)
		_, without := q.Kind.Evaluate(q, m, bare(tests))
		t.Logf("%3.0f %% of the examples have their vector: %.3f on texts that have it, %.3f on those that have not", 100*share, with, without)
		if with < last-0.02 {
			t.Errorf("accuracy falls from %.3f to %.3f", last, with)
		}
		last = with
	}
}
