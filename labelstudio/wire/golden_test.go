package wire_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hone-ml/hone/internal/golden"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
)

// Every recorded body, as it is understood.
func TestGoldenBodies(t *testing.T) {
	files, err := filepath.Glob("../testdata/fixtures/*.json")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	out := map[string]any{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var recording struct {
			Request struct{ Body json.RawMessage }
		}
		if err := json.Unmarshal(b, &recording); err == nil && recording.Request.Body != nil {
			b = recording.Request.Body
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		var read any
		switch {
		case strings.HasPrefix(name, "backend-setup"):
			read, err = wire.DecodeSetup(b)
		case strings.HasPrefix(name, "backend-predict"):
			read, err = wire.DecodePredict(b)
		default:
			read, err = wire.DecodeHook(b, time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC))
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		out[name] = read
	}
	golden.JSON(t, "golden/bodies.json", out)
}

// What is answered over the ML-backend protocol.
func TestGoldenAnswers(t *testing.T) {
	region := regions.Region{ID: "r", FromName: "c", ToName: "t", Type: "choices", Value: json.RawMessage(`{"choices":["<a>"]}`)}
	golden.JSON(t, "golden/answers.json", []any{
		golden.Fill(&wire.Health{}),
		wire.Health{Status: "UP"},
		golden.Fill(&wire.SetupResponse{}),
		golden.Fill(&wire.Versions{}),
		wire.Versions{},
		wire.PredictResponse{Results: []wire.Prediction{
			{Result: []regions.Region{region}, Score: 1.5, ModelVersion: "hone-1"},
			{Result: []regions.Region{}, Score: 0.5},
			{Score: 0.5, ModelVersion: "hone-1"},
			{Result: []regions.Region{region}, Score: math.NaN()},
		}},
		wire.PredictResponse{},
		golden.Fill(&wire.Prediction{}),
		wire.Prediction{},
	})
}
