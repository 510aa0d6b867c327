package app_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/internal/app/apptest"
)

// TestEveryRouteIsOnTheAttackersList keeps the list that the end-to-end tests attack
// complete: a new route fails here until it is in it, and a public one until it is
// there as such.
func TestEveryRouteIsOnTheAttackersList(t *testing.T) {
	h := apptest.Start(t, apptest.Settings(t.TempDir(), nil))
	var routes []string
	for _, r := range h.Engines[0].Routes() {
		line := r.Method + " " + r.Path
		if access.RoleOf(r.Method, r.Path) == access.Public {
			line += " public"
		}
		routes = append(routes, line)
	}
	slices.Sort(routes)
	b, err := os.ReadFile("../../e2e/testdata/routes.txt")
	require.NoError(t, err)
	listed := strings.Split(strings.TrimSpace(string(b)), "\n")
	assert.True(t, slices.IsSorted(listed), "sort e2e/testdata/routes.txt (LC_ALL=C sort)")
	slices.Sort(listed)
	assert.Equal(t, routes, listed, "e2e/testdata/routes.txt must list every route")
}
