package app_test

import (
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/golden"
)

// The metrics of a whole hone, those too that have not counted anything yet.
func TestGoldenMetrics(t *testing.T) {
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	a, err := app.New(t.Context(), apptest.Settings(t.TempDir(), nil), app.Options{Logger: logger, Seams: app.Seams{Listen: func(string) (net.Listener, error) { return newNoListener(), nil }}})
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		a.Registry.Describe(descriptions)
	}()
	var lines []string
	for d := range descriptions {
		// A description says its name and its labels only as text.
		m := regexp.MustCompile(`fqName: "([^"]*)".*constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`).FindStringSubmatch(d.String())
		require.NotNil(t, m, d)
		if strings.HasPrefix(m[1], "go_") || strings.HasPrefix(m[1], "process_") {
			continue // the runtime's
		}
		lines = append(lines, strings.TrimSpace(m[1]+" "+m[2]+" "+m[3]))
	}
	slices.Sort(lines)
	golden.Check(t, "golden/metrics.txt", []byte(strings.Join(lines, "\n")+"\n"))
}
