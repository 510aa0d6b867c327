package sampler

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/service/servicetest"
)

func TestStartAndStopInAnyOrder(t *testing.T) {
	servicetest.Stress(t, func(t *testing.T) service.Service {
		b, o := newBrain(5), Defaults()
		o.Pool, o.Scorer = b, b
		s, err := New(o)
		require.NoError(t, err)
		s.Refresh(1, 2)
		return s
	})
}
