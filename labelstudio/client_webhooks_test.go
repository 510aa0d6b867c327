package labelstudio

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAllWebhooks(t *testing.T) {
	var asked string
	c, _ := testClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_, _ = io.WriteString(w, `[{"id":1,"project":null,"url":"http://a.b"},{"id":2,"project":3,"url":"http://c.d"}]`)
	}))
	all, err := c.AllWebhooks(t.Context())
	require.NoError(t, err)
	require.Equal(t, "/api/webhooks/", asked)
	require.Len(t, all, 2)
	require.Zero(t, all[0].Project)
	require.EqualValues(t, 3, all[1].Project)
}
