package netguard

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRotationIsPickedUpByARunningServer(t *testing.T) {
	future := time.Now().Add(time.Hour)
	cert1, key1 := issue(t, 1, future)
	cert2, key2 := issue(t, 2, future)
	f := newFiles(t, cert1, key1)
	address := f.serve()
	require.Equal(t, cert1, shown(t, address, tls.VersionTLS12))

	f.write(f.cert, cert2)
	f.write(f.key, key2)
	require.Equal(t, cert1, shown(t, address, 0), "nobody looks again within a second")
	f.pass(recheck)
	require.Equal(t, cert2, shown(t, address, 0))

	// The same time, another size: what a restored backup or a coarse clock make.
	f.write(f.key, key1)
	f.write(f.cert, append(bytes.Clone(cert1), '\n'))
	at := f.now()
	f.pass(recheck)
	require.Equal(t, cert1, shown(t, address, 0))
	require.NoError(t, os.WriteFile(f.cert, cert2, 0o600))
	require.NoError(t, os.Chtimes(f.cert, at, at))
	require.NoError(t, os.WriteFile(f.key, key2, 0o600))
	require.NoError(t, os.Chtimes(f.key, at.Add(-time.Millisecond), at.Add(-time.Millisecond))) // as it was
	f.pass(recheck)
	require.Equal(t, cert2, shown(t, address, 0))

	// The clock is put back by a day: nobody waits a day for the next look.
	f.pass(-24 * time.Hour)
	f.write(f.cert, cert1)
	f.write(f.key, key1)
	require.Equal(t, cert1, shown(t, address, 0))
	require.Zero(t, f.reported())

	_, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	require.ErrorContains(t, err, "protocol version")
}

func TestBrokenFilesKeepTheOldCertificate(t *testing.T) {
	cert1, key1 := issue(t, 1, time.Now().Add(time.Hour))
	cert2, key2 := issue(t, 2, time.Now().Add(time.Hour))
	f := newFiles(t, cert1, key1)
	address := f.serve()
	steps := []struct {
		what   string
		change func()
	}{
		{"half a certificate", func() { f.write(f.cert, cert2[:len(cert2)/2]) }},
		{"an empty one", func() { f.write(f.cert, nil) }},
		{"one without its key", func() { f.write(f.cert, cert2) }},
		{"no key at all", func() { require.NoError(t, os.Remove(f.key)) }},
	}
	for i, step := range steps {
		step.change()
		for range 3 { // reported once, however often somebody looks
			f.pass(recheck)
			require.Equal(t, cert1, shown(t, address, 0), step.what)
		}
		require.Equal(t, i+1, f.reported(), step.what)
		require.ErrorContains(t, f.errs[i], f.cert)
		require.ErrorContains(t, f.errs[i], "stays in use")
	}
	f.write(f.key, key2)
	f.pass(recheck)
	require.Equal(t, cert2, shown(t, address, 0))
	require.Len(t, steps, f.reported())
}

// Under -race: many handshakes while the files change.
func TestHandshakesDuringRotation(t *testing.T) {
	certs, keys := make([][]byte, 2), make([][]byte, 2)
	for i := range certs {
		certs[i], keys[i] = issue(t, int64(i), time.Now().Add(time.Hour))
	}
	f := newFiles(t, certs[0], keys[0])
	address := f.serve()
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for range 10 {
				c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
				if err != nil {
					t.Error(err)
					return
				}
				c.Close()
				f.pass(recheck)
			}
		})
	}
	for i := range 10 {
		f.write(f.cert, certs[i%2])
		f.write(f.key, keys[i%2])
	}
	clients.Wait()
	f.pass(recheck)
	require.Equal(t, certs[1], shown(t, address, 0))
}

func TestLoadServerNamesWhatIsWrong(t *testing.T) {
	cert, key := issue(t, 1, time.Now())
	other, _ := issue(t, 2, time.Now())
	f := newFiles(t, cert, key)
	_, err := LoadServer(f.cert, f.key+"x", nil)
	require.ErrorContains(t, err, f.key+"x")
	f.write(f.cert, other)
	_, err = LoadServer(f.cert, f.key, nil)
	require.ErrorContains(t, err, "belong together")
}

func TestPinnedTakesOneCertificateOnly(t *testing.T) {
	expired := time.Now().Add(-time.Hour)
	cert, key := issue(t, 1, expired)
	f := newFiles(t, append(append([]byte("text before\n"), key...), cert...), key)
	address := f.serve()
	other, _ := issue(t, 1, expired) // the same names and number, another key

	get := func(certFile string) error {
		config, err := Pinned(certFile)
		require.NoError(t, err)
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		tr := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
		for range 2 { // the second one resumes the first one's session
			resp, err := (&http.Client{Transport: tr}).Get("https://" + address)
			if err != nil {
				return err
			}
			require.NoError(t, resp.Body.Close())
		}
		return nil
	}
	require.NoError(t, get(f.cert), "expired, and for another name")
	wrong := newFiles(t, append(other, cert...), key) // the right one second: that is an issuer's place
	err := get(wrong.cert)
	require.ErrorContains(t, err, wrong.cert)
	require.ErrorContains(t, err, "another server listens there")

	_, err = Pinned(f.key)
	require.ErrorContains(t, err, "holds no certificate")
	_, err = Pinned(f.key + "x")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestLoadCA(t *testing.T) {
	cert, key := issue(t, 1, time.Now().Add(time.Hour))
	other, _ := issue(t, 2, time.Now().Add(time.Hour))
	f := newFiles(t, cert, key)
	address := f.serve()
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	connect := func() error {
		pool, err := LoadCA(bundle)
		require.NoError(t, err)
		raw, err := net.Dial("tcp", address)
		require.NoError(t, err)
		c := tls.Client(raw, &tls.Config{RootCAs: pool, ServerName: "hone.example"})
		defer c.Close()
		return c.Handshake()
	}
	f.write(bundle, append(other, cert...))
	require.NoError(t, connect(), "the second of two")
	f.write(bundle, other)
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, connect(), &unknown)

	for content, want := range map[string]string{
		"": "holds no certificate", string(key): "holds no certificate", "MIIB": "holds no certificate",
		string(other) + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n": "certificate 2 in",
	} {
		f.write(bundle, []byte(content))
		_, err := LoadCA(bundle)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, bundle)
	}
	system, err := x509.SystemCertPool()
	require.NoError(t, err)
	f.write(bundle, cert)
	pool, err := LoadCA(bundle)
	require.NoError(t, err)
	require.False(t, system.Equal(pool))
	first, err := readCerts(bundle)
	require.NoError(t, err)
	system.AddCert(first[0])
	require.True(t, system.Equal(pool), "the system's own stay trusted")
}
