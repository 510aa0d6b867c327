package netguard

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const recheck = time.Second // between two looks at the files

// LoadServer returns a TLS configuration, 1.2 at least, that serves the PEM
// certificate chain and key of the files and takes up new ones: a handshake
// looks, at most once a second, whether one of them has another time or size.
// Files that cannot be used leave the last good certificate in place; onError,
// if not nil, hears of it once a change, from the handshake's goroutine.
func LoadServer(certFile, keyFile string, onError func(error)) (*tls.Config, error) {
	return loadServer(certFile, keyFile, onError, time.Now)
}

func loadServer(certFile, keyFile string, onError func(error), now func() time.Time) (*tls.Config, error) {
	if onError == nil {
		onError = func(error) {}
	}
	p := &pair{certFile: certFile, keyFile: keyFile, onError: onError, now: now, checked: now()}
	p.seen = p.stamps() // before reading: what changes meanwhile differs at the next look
	cert, err := p.read()
	if err != nil {
		return nil, err
	}
	p.current.Store(cert)
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.get}, nil
}

// pair is a certificate and key that follow their files.
type pair struct {
	certFile, keyFile string
	onError           func(error)
	now               func() time.Time
	current           atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // guards what follows
	checked time.Time
	seen    [2]stamp
}

// stamp tells versions of a file apart; the zero stamp is a file that cannot
// be looked at.
type stamp struct {
	changed int64 // nanoseconds since 1970
	size    int64
}

func (p *pair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	// One handshake looks; others, on a slow disk too, take what there is.
	if p.mu.TryLock() {
		defer p.mu.Unlock()
		p.refresh()
	}
	return p.current.Load(), nil
}

func (p *pair) refresh() {
	now := p.now()
	if since := now.Sub(p.checked); since >= 0 && since < recheck { // negative: the clock was put back
		return
	}
	p.checked = now
	stamps := p.stamps()
	if stamps == p.seen {
		return
	}
	p.seen = stamps
	cert, err := p.read()
	if err != nil {
		p.onError(fmt.Errorf("%w; the last good certificate stays in use", err))
		return
	}
	p.current.Store(cert)
}

func (p *pair) stamps() [2]stamp {
	var s [2]stamp
	for i, name := range []string{p.certFile, p.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.ModTime().UnixNano(), info.Size()}
		}
	}
	return s
}

func (p *pair) read() (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w; both must be PEM, belong together, and the key have no passphrase",
			p.certFile, p.keyFile, err)
	}
	return &cert, nil
}

// LoadCA returns the system's certificate authorities and those in a PEM file.
// Each certificate there must be readable: one that was passed over would only
// show as a failed handshake later.
func LoadCA(file string) (*x509.CertPool, error) {
	certs, err := readCerts(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the system's certificate authorities, to which those of %s are added: %w", file, err)
	}
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool, nil
}

// Pinned returns a client's TLS configuration that takes a server's certificate
// only if it is the first one in certFile as it is now. Its names, dates and
// issuer do not matter: commands on hone's own machine talk to 127.0.0.1, for
// which no certificate is made, and have the file at hand.
func Pinned(certFile string) (*tls.Config, error) {
	certs, err := readCerts(certFile)
	if err != nil {
		return nil, err
	}
	leaf := certs[0].Raw
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection, which also sees resumed sessions, is stricter: one certificate only
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return fmt.Errorf("the server shows no certificate, so it is not the one of %s", certFile)
			}
			if got := s.PeerCertificates[0].Raw; !bytes.Equal(got, leaf) {
				return fmt.Errorf("the server's certificate (SHA-256 %x) is not the one of %s (%x); another server listens there, or the file is not the one it was started with",
					sha256.Sum256(got), certFile, sha256.Sum256(leaf))
			}
			return nil
		},
	}, nil
}

// readCerts returns the certificates of a PEM file, at least one. It passes
// over keys and text.
func readCerts(file string) ([]*x509.Certificate, error) {
	rest, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in %s: %w; replace or remove it", len(certs)+1, file, err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errors.New(file + " holds no certificate; it must be PEM, with -----BEGIN CERTIFICATE----- lines")
	}
	return certs, nil
}
