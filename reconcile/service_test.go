package reconcile

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/service/servicetest"
)

func TestStartAndStopInAnyOrder(t *testing.T) {
	o := rigFor(t, nil).r.o
	servicetest.Stress(t, func(t *testing.T) service.Service {
		r, err := New(o)
		require.NoError(t, err)
		r.Ask(1, true)
		r.Ask(0, false)
		return r
	})
}
