//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// labelStudioWaits is how long Label Studio waits for a webhook's answer.
const labelStudioWaits = time.Second

// TestAttackFlood has a stranger hold as many connections as he can, silent or
// half-sent, while Label Studio calls.
func TestAttackFlood(t *testing.T) {
	for name, files := range map[string]int{
		"as the machine lets it": 0,
		// A hone that may open fewer files than it would take connections.
		"few files": 1024, "very few files": 256,
	} {
		t.Run(name, func(t *testing.T) { flood(t, files) })
	}
}

func flood(t *testing.T, files int) {
	h := everywhere(t, newHone(t, "HONE_LEARNER_ENCODER=static", "BASIC_AUTH_USER=ls", "BASIC_AUTH_PASS=e2e-flood"))
	h.files = files
	h.start()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	n := min(2000, int(limit.Cur)-200)
	if n < 500 {
		t.Skipf("this machine lets a process have %d files, too few for a flood", limit.Cur)
	}
	starts := []string{
		"",
		"P",
		"POST /webhook HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{",
		"POST /predict HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
		"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", // answered, and kept
	}
	open := func(i int) net.Conn {
		c, err := net.DialTimeout("tcp", h.addr, patience)
		if err != nil {
			return nil // hone is full of him already
		}
		_, _ = io.WriteString(c, starts[i%len(starts)])
		return c
	}
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = open(i)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // he trickles, and comes again where he was thrown out
		defer close(stopped)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			c := &conns[i%n]
			if *c != nil {
				if _, err := io.WriteString(*c, "x"); err == nil {
					continue
				}
				_ = (*c).Close()
			}
			*c = open(i)
		}
	}()
	hook := shot{To: h.addr, Method: "POST", Target: "/webhook", Body: ping}.with(basicHeader("ls", "e2e-flood"))
	failed := 0
	for range 100 {
		if r := fire(hook, labelStudioWaits); r.Status != http.StatusOK {
			t.Logf("status %d %s", r.Status, r.Fault)
			failed++
		}
		pause()
	}
	if failed > 0 {
		t.Errorf("%d of 100 webhooks with the secret were not answered within Label Studio's second, beside %d connections of a stranger", failed, n)
	}
	close(stop)
	<-stopped
	for _, c := range conns {
		if c != nil {
			_ = c.Close()
		}
	}
}

// newCertificate makes hone's certificate for this machine and returns its files.
func newCertificate(t testing.TB) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hone"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, b []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", name, err))
		}
		return name
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", pkcs8)
}
