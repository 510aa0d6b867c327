package connect

import (
	"testing"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/service/servicetest"
)

func TestStartAndStopInAnyOrder(t *testing.T) {
	keys := newRig(t, nil).keys
	servicetest.Stress(t, func(t *testing.T) service.Service {
		l, err := New(t.Context(), Options{Vault: &memory{}, Keys: keys, Logger: logrus.NewEntry(logrus.New())})
		require.NoError(t, err)
		l.settle = 0
		l.LookAfter(1)
		l.Check(false)
		return l
	})
}
