package netguard

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// issue returns a self-signed certificate and its key as PEM. The certificate
// is for hone.example, and valid until the given time.
func issue(t *testing.T, serial int64, until time.Time) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "hone"}, DNSNames: []string{"hone.example"},
		NotBefore: until.Add(-time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// files are a certificate and a key on disk, and the clock of who serves them.
type files struct {
	t         *testing.T
	cert, key string
	mu        sync.Mutex
	time      time.Time
	errs      []error
}

func newFiles(t *testing.T, cert, key []byte) *files {
	dir := t.TempDir()
	f := &files{t: t, cert: filepath.Join(dir, "hone.crt"), key: filepath.Join(dir, "hone.key"), time: time.Unix(1e9, 0)}
	f.write(f.cert, cert)
	f.write(f.key, key)
	return f
}

func (f *files) write(name string, b []byte) {
	f.t.Helper()
	require.NoError(f.t, os.WriteFile(name, b, 0o600))
	f.touch(name)
}

// touch gives a file a time of its own, whatever the file system's resolution.
func (f *files) touch(name string) {
	f.t.Helper()
	f.mu.Lock()
	f.time = f.time.Add(time.Millisecond)
	at := f.time
	f.mu.Unlock()
	require.NoError(f.t, os.Chtimes(name, at, at))
}

func (f *files) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.time
}

func (f *files) pass(d time.Duration) {
	f.mu.Lock()
	f.time = f.time.Add(d)
	f.mu.Unlock()
}

func (f *files) report(err error) {
	f.mu.Lock()
	f.errs = append(f.errs, err)
	f.mu.Unlock()
}

func (f *files) reported() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.errs)
}

// serve runs a server with these files and returns its address.
func (f *files) serve() string {
	f.t.Helper()
	config, err := loadServer(f.cert, f.key, f.report, f.now)
	require.NoError(f.t, err)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.TLS = config
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	l := tls.NewListener(s.Listener, config) // httptest would add a certificate of its own
	go func() { _ = s.Config.Serve(l) }()
	f.t.Cleanup(func() { _ = s.Config.Close(); _ = l.Close() })
	return l.Addr().String()
}

// shown returns the certificate that a new connection is shown, as PEM.
func shown(t *testing.T, address string, version uint16) []byte {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: version, MinVersion: tls.VersionTLS10})
	require.NoError(t, err)
	defer c.Close()
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.ConnectionState().PeerCertificates[0].Raw})
}
