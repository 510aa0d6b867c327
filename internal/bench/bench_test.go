package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/internal/bench"
	"github.com/hone-ml/hone/internal/newslike"
	"github.com/hone-ml/hone/internal/simulate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func load(t *testing.T, lines []string) *simulate.Data {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	d, err := simulate.Load(simulate.Source{Train: path})
	require.NoError(t, err)
	return d
}

func news(t *testing.T, n int) (lines []string) {
	for _, text := range newslike.Make(n, 4, 1) {
		b, err := json.Marshal(text)
		require.NoError(t, err)
		lines = append(lines, string(b))
	}
	return lines
}

func TestEveryFigureIsMeasured(t *testing.T) {
	dir := t.TempDir()
	var steps []string
	res, err := bench.Run(t.Context(), load(t, news(t, 70)), bench.Options{
		Encoder: ngram.New(), Singles: 3, For: time.Millisecond, Dir: dir,
		Progress: func(step, _ int, what string) { steps = append(steps, fmt.Sprint(step, " ", what)) },
	})
	require.NoError(t, err)
	assert.Equal(t, 70, res.Texts)
	assert.Equal(t, 4, res.Classes)
	assert.InDelta(t, 40, res.Words, 3)
	assert.Equal(t, "0 encoding", steps[0])
	v := reflect.ValueOf(res)
	for i := range v.NumField() {
		assert.False(t, v.Field(i).IsZero(), "%s was not measured", v.Type().Field(i).Name)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "the database goes with the run")

	var table strings.Builder
	require.NoError(t, res.Table(&table))
	assert.Contains(t, table.String(), "70 texts of ")
	assert.Regexp(t, `webhooks, 64 senders +[0-9 ]+/s`, table.String())
}

func TestSeveralLabelsAreIndependent(t *testing.T) {
	lines := []string{`{"text":"one two","labels":["a","b"]}`, `{"text":"three","labels":[]}`, `{"text":"four two","labels":["b"]}`}
	res, err := bench.Run(t.Context(), load(t, lines), bench.Options{Encoder: ngram.New(), Singles: 3, For: time.Microsecond, Dir: t.TempDir()})
	require.NoError(t, err)
	assert.Equal(t, 2, res.Classes)
	assert.Positive(t, res.LearnPerS)
}

func TestItEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := bench.Run(ctx, load(t, news(t, 20)), bench.Options{
		Encoder: ngram.New(), Singles: 3, For: time.Hour, Dir: t.TempDir(),
		Progress: func(step, _ int, _ string) {
			if step == 0 {
				cancel()
			}
		},
	})
	assert.ErrorIs(t, err, context.Canceled)
}

// counting is a slow encoder that counts what it reads.
type counting struct{ texts atomic.Int64 }

func (*counting) Name() string { return "counting" }

func (c *counting) EncodeBatch(_ context.Context, texts []string) ([][]float32, error) {
	c.texts.Add(int64(len(texts)))
	out := make([][]float32, len(texts))
	for i, t := range texts {
		out[i] = []float32{1, float32(len(t))}
	}
	return out, nil
}

func TestEncodingIsOfTextsNotEncodedBefore(t *testing.T) {
	var slow counting
	ctx, cancel := context.WithCancel(t.Context())
	before := map[string]int64{} // texts read before a step
	_, err := bench.Run(ctx, load(t, news(t, 20)), bench.Options{
		Encoder: encode.NewBlocking(ngram.New(), &slow), Singles: 3, For: time.Microsecond, Dir: t.TempDir(),
		Progress: func(_, _ int, what string) {
			before[what] = slow.texts.Load()
			if what == "applying a backlog" {
				cancel()
			}
		},
	})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, map[string]int64{"encoding": 0, "encoding the rest": 100, "learning": 120, "applying a backlog": 120}, before)
}
