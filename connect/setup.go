package connect

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/netguard"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
)

// Setup is the content of a /setup call of Label Studio.
type Setup struct {
	Project event.ProjectID
	// Hostname is Label Studio's own address, Token its creator's legacy token.
	Hostname string
	Token    secret.Secret
	// BackendURL is hone's address as Label Studio called it.
	BackendURL string
	// Proof says which secret the call carried.
	Proof access.Proof
	// Local is true when the call came from this machine.
	Local bool
}

// adoptTimeout bounds trying a token; Label Studio's next /setup tries again.
const adoptTimeout = 20 * time.Second

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
		if l.o.URL == "" {
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
	if l.o.URL != "" {
		log.Debug("/setup names another address than the configured one; it is not called")
		return
	}
	log.Warn("/setup names another Label Studio than the one hone works with; it is not called: set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY to choose, and restart hone")
}

// tryAdopt handles a /setup call when no Label Studio is configured: it adopts the first
// Label Studio whose token works, and a new token of the same one when the token in use no
// longer works.
func (l *Link) tryAdopt(ctx context.Context, s Setup) {
	ctx, cancel := context.WithTimeout(ctx, adoptTimeout)
	defer cancel()
	if c := l.client.Load(); c != nil {
		if !sameURL(s.Hostname, c.URL()) || s.Token == c.token || time.Since(l.lastTokenCheck) < l.retry {
			return
		}
		l.lastTokenCheck = time.Now()
		if _, err := c.WhoAmI(ctx); !labelstudio.IsUnauthorized(err) {
			return
		}
	}
	err := l.adopt(ctx, s)
	if errors.Is(err, errUnregistered) {
		return // Label Studio calls before the backend is listed, and again after
	}
	if ctx.Err() != nil && err != nil {
		err = fmt.Errorf("hone got no answer from %s, which Label Studio calls its own address: %s", s.Hostname, connectionHelp)
	}
	l.mu.Lock()
	said := l.fault != nil && err != nil && l.fault.Error() == err.Error()
	l.fault = err
	l.mu.Unlock()
	if err != nil && !said {
		l.o.Logger.WithField("label_studio", s.Hostname).Warn(err)
	}
}

const connectionHelp = "set LABEL_STUDIO_URL to its address as hone reaches it and LABEL_STUDIO_API_KEY to a token from Account & Settings, and restart hone"

// adopt tries the token that /setup carried and works with it from then on, if
// that Label Studio lists this hone among the project's backends: anybody who has
// the secret may name any host.
func (l *Link) adopt(ctx context.Context, s Setup) error {
	if s.Token == "" {
		return fmt.Errorf("/setup from %s carried no token: %s", s.Hostname, connectionHelp)
	}
	c, err := l.guardedClient(s.Hostname, s.Token, s.Local && isLoopbackHost(s.Hostname))
	if err != nil {
		return fmt.Errorf("the address %q in /setup is of no use: %w; %s", s.Hostname, err, connectionHelp)
	}
	if _, err := c.WhoAmI(ctx); err != nil {
		c.Close()
		if netguard.IsBlocked(err) {
			return fmt.Errorf("the Label Studio that called calls itself %s, and hone does not follow that where a call from elsewhere says so: %s (%w)", s.Hostname, connectionHelp, err)
		}
		if labelstudio.IsUnauthorized(err) || labelstudio.IsForbidden(err) {
			return fmt.Errorf("the token that Label Studio at %s sends by itself does not work there; hone learns from webhooks but cannot set the queue: %s (%w)", s.Hostname, connectionHelp, err)
		}
		return fmt.Errorf("hone does not reach %s, which Label Studio calls its own address: %s (%w)", s.Hostname, connectionHelp, err)
	}
	if err := l.isListed(ctx, c, s); err != nil {
		c.Close()
		return err
	}
	log := l.o.Logger.WithField("label_studio", s.Hostname)
	if err := l.o.Vault.SetCredential(ctx, s.Hostname, s.Token); err != nil {
		log.WithError(err).Warn("the Label Studio found by /setup works but could not be remembered for the next start")
	}
	if old := l.client.Swap(&clientWithToken{c, s.Token}); old != nil {
		old.Close()
	}
	log.Info("found Label Studio by its /setup call, and its token works")
	if l.o.OnClient != nil {
		l.o.OnClient(c)
	}
	l.Check(true)
	return nil
}

// isListed returns nil if the Label Studio lists hone among the project's backends under the
// address that it called.
func (l *Link) isListed(ctx context.Context, c *labelstudio.Client, s Setup) error {
	backends, err := c.Backends(ctx, s.Project)
	if err != nil {
		return fmt.Errorf("the Label Studio at %s does not show the ML backends of project %d: %w", s.Hostname, s.Project, err)
	}
	for _, b := range backends {
		if hostOf(b.URL) == hostOf(s.BackendURL) {
			return nil
		}
	}
	return errUnregistered
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
