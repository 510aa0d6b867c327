package connect

import (
	"errors"
	"net/url"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
)

// Setup is the content of a /setup call of Label Studio.
type Setup struct {
	Project event.ProjectID
	// Hostname is Label Studio's own address, Token its creator's legacy token, PageToken
	// one from the extra parameters of the backend's page.
	Hostname         string
	Token, PageToken secret.Secret
	// BackendURL is hone's address as Label Studio called it.
	BackendURL string
	// Proof says which secret the call carried.
	Proof access.Proof
	// Local is true when the call came from this machine.
	Local bool
}

// maxHosts bounds what /setup calls can make hone remember.
const maxHosts = 10_000

// Heard records a /setup call and returns at once: Label Studio waits for the answer before
// it answers anything itself. Run does the work.
func (l *Link) Heard(s Setup) {
	if h := hostOf(s.BackendURL); h != "" {
		l.mu.Lock()
		l.recordSetup(s)
		if _, known := l.hosts[s.Project]; known || len(l.hosts) < maxHosts {
			l.hosts[s.Project] = h
		}
		l.mu.Unlock()
	}
	if s.Hostname != "" {
		if l.o.URL == "" || l.o.Token == "" && s.PageToken != "" {
			select {
			case l.offers <- s:
			default: // another one is being tried; the next /setup repeats it
			}
		}
		l.noteOtherServer(s)
	}
	l.requestCheck(checkRequest{s.Project, true})
}

// noteOtherServer logs once that /setup names another address than the one in use. Where the
// address in use is configured this is usual: Label Studio often does not know its own
// address. Otherwise two Label Studios may be using this hone.
func (l *Link) noteOtherServer(s Setup) {
	c := l.client.Load()
	if c == nil || sameURL(s.Hostname, c.URL()) {
		return
	}
	l.mu.Lock()
	known := l.otherServers[s.Hostname] || len(l.otherServers) >= 100
	if !known {
		l.otherServers[s.Hostname] = true
	}
	l.mu.Unlock()
	if known {
		return
	}
	log := l.o.Logger.WithFields(logrus.Fields{"project": s.Project, "hostname": s.Hostname, "label_studio": c.URL()})
	if l.o.URL != "" || c.credential.Chosen {
		log.Debug("/setup names another address than the configured one; it is not called")
		return
	}
	log.Warn("/setup names another Label Studio than the one hone works with; it is not called: set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY to choose, and restart hone")
}

// isLoopbackHost reports whether an address names this machine, whoever reads it.
func isLoopbackHost(address string) bool {
	u, err := url.Parse(address)
	return err == nil && access.IsLoopbackName(strings.ToLower(u.Hostname()))
}

// innermost is an error without the request around it: the address is named already.
func innermost(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// hostOf is an address's host and port as they can be compared, without the
// port its scheme implies, which clients leave out of the Host header.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	h := strings.ToLower(u.Host)
	if p := u.Port(); p == "80" || p == "443" {
		h = strings.TrimSuffix(h, ":"+p)
	}
	return h
}
