package webhook

import (
	"testing"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/service/servicetest"
)

func TestStartAndStopInAnyOrder(t *testing.T) {
	gate := access.NewGate(keysOf(t, access.Options{}), access.GateOptions{Insecure: true})
	servicetest.Stress(t, func(t *testing.T) service.Service {
		s, err := New(Options{Publisher: new(memory), Predictor: nobody{}, Projects: nobody{}, Adopter: nobody{}, Gate: gate})
		if err != nil {
			t.Fatal(err)
		}
		s.reconciles.Add(1, "test")
		return s
	})
}
