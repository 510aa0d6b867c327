//go:build e2e

package labelstudio_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The real Label Studio named by HONE_LS_URL and HONE_LS_TOKEN, which
// "scripts/label-studio run" sets.
func TestRealServerConforms(t *testing.T) {
	url, token := os.Getenv("HONE_LS_URL"), os.Getenv("HONE_LS_TOKEN")
	require.True(t, url != "" && token != "", "set HONE_LS_URL and HONE_LS_TOKEN, or run this with: scripts/label-studio run --dir DIR --port 0 -- go test -tags e2e ./labelstudio/")
	conform(t, url, token)
}
