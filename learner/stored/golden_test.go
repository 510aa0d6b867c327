package stored

import (
	"testing"

	"github.com/hone-ml/hone/internal/golden"
	"github.com/hone-ml/hone/learner/adapt"
)

// What is stored of an adapter in use, beside its weights.
func TestGoldenAdaptation(t *testing.T) {
	golden.JSON(t, "golden/adaptation.json", State{Adapted: golden.Fill(&adapt.Adaptation{})})
}
