package labelstudio

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"release":"1.23.2"}`)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // a refused handshake is expected
	srv.StartTLS()
	defer srv.Close()
	trusted := x509.NewCertPool()
	trusted.AddCert(srv.Certificate())
	o := Options{URL: srv.URL, RetryWait: time.Microsecond, TLS: &tls.Config{RootCAs: trusted}}
	v, err := mustClient(t, o).Version(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1.23.2", v)

	o.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
	_, err = mustClient(t, o).Version(t.Context())
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown)
}
