package api_test

import (
	"testing"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/golden"
)

// Every key of what hone's own HTTP surface answers and takes.
func TestGoldenTypes(t *testing.T) {
	golden.JSON(t, "types.json", map[string]any{
		"listing": golden.Fill(&api.Listing{}), "reconcile": golden.Fill(&api.Reconcile{}), "rotation": golden.Fill(&api.Rotation{}),
		"encoding": golden.Fill(&api.Encoding{}), "adapted": golden.Fill(&api.Adapted{}), "version": golden.Fill(&api.Version{}), "dead letter": golden.Fill(&api.DeadLetter{}),
		"connect request": golden.Fill(&api.ConnectRequest{}), "login request": golden.Fill(&api.LoginRequest{}), "report": golden.Fill(&api.Report{}), "error": golden.Fill(&api.Error{}),
		"shares": golden.Fill(&api.Shares{}), "no shares": api.Shares{},
		"accuracy": golden.Fill(&api.AccuracyHistory{}), "no accuracy": api.AccuracyHistory{},
		"configuration": golden.Fill(&api.Configuration{}), "empty configuration": api.Configuration{},
		"predict request": golden.Fill(&api.PredictRequest{}), "predict response": golden.Fill(&api.PredictResponse{}), "empty control prediction": api.ControlPrediction{},
		"empty project": api.Project{}, "empty listing": api.Listing{}, "empty report": api.Report{}, "empty head": api.Head{},
	})
}
