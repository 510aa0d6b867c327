package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hone-ml/hone/internal/netguard"
	"github.com/hone-ml/hone/labelstudio"
)

// adoptTimeout bounds trying a token; Label Studio's next /setup tries again.
const adoptTimeout = 20 * time.Second

// offered returns the credentials that a /setup call offers, the more deliberate first. Where
// an address is configured, Label Studio's own token is not sent there: the call may have come
// from another Label Studio.
func (l *Link) offered(s Setup) []Credential {
	at := s.Hostname
	if l.o.URL != "" {
		at = l.o.URL
	}
	var out []Credential
	if s.PageToken != "" {
		out = append(out, Credential{URL: at, Token: s.PageToken, FromPage: true})
	}
	if s.Token != "" && l.o.URL == "" {
		out = append(out, Credential{URL: at, Token: s.Token})
	}
	return out
}

// tryAdopt handles a /setup call when no token is configured: it adopts the first Label Studio
// of which a token works, and a new token of the same one when the token in use no longer
// works. A credential that an administrator gave stays as it is.
func (l *Link) tryAdopt(ctx context.Context, s Setup) {
	ctx, cancel := context.WithTimeout(ctx, adoptTimeout)
	defer cancel()
	offers := l.offered(s)
	if c := l.client.Load(); c != nil {
		offers = slices.DeleteFunc(offers, func(o Credential) bool { return !sameURL(o.URL, c.URL()) || o.Token == c.credential.Token })
		if c.credential.Chosen || len(offers) == 0 || time.Since(l.lastTokenCheck) < l.retry {
			return
		}
		l.lastTokenCheck = time.Now()
		if _, err := c.WhoAmI(ctx); !labelstudio.IsUnauthorized(err) {
			return
		}
	}
	err := fmt.Errorf("/setup from %s carried no token: %s", s.Hostname, connectionHelp)
	for _, o := range offers {
		if err = l.adopt(ctx, s, o); err == nil {
			break
		}
	}
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

// adopt tries a token that /setup carried and works with it from then on, if that Label Studio
// lists this hone among the project's backends: anybody who has the secret may name any host.
func (l *Link) adopt(ctx context.Context, s Setup, o Credential) error {
	c, err := l.clientFor(o, s.Local && isLoopbackHost(o.URL))
	if err != nil {
		return fmt.Errorf("the address %q in /setup is of no use: %w; %s", o.URL, err, connectionHelp)
	}
	if _, err := c.WhoAmI(ctx); err != nil {
		c.Close()
		if netguard.IsBlocked(err) {
			return fmt.Errorf("the Label Studio that called calls itself %s, and hone does not follow that where a call from elsewhere says so: %s (%w)", o.URL, connectionHelp, err)
		}
		if labelstudio.IsUnauthorized(err) || labelstudio.IsForbidden(err) {
			which := "that Label Studio at %s sends by itself"
			if o.FromPage {
				which = "in the extra parameters of hone's page in Label Studio at %s"
			}
			return fmt.Errorf("the token "+which+" does not work there; hone learns from webhooks but cannot set the queue: %s (%w)", o.URL, connectionHelp, err)
		}
		return fmt.Errorf("hone does not reach %s, which Label Studio calls its own address: %s (%w)", o.URL, connectionHelp, err)
	}
	if err := l.isListed(ctx, c, s); err != nil {
		c.Close()
		return err
	}
	log := l.o.Logger.WithField("label_studio", o.URL)
	if err := l.o.Vault.SetCredential(ctx, o); err != nil {
		log.WithError(err).Warn("the Label Studio found by /setup works but could not be remembered for the next start")
	}
	l.use(c, o)
	log.Info("found Label Studio by its /setup call, and its token works")
	if o.FromPage {
		log.Warn(pageTokenWarning)
	}
	return nil
}

// pageTokenWarning says what is wrong with a token that works.
const pageTokenWarning = "the token stands in the extra parameters of hone's page in Label Studio, where every user of the project can read it: give it to hone with `hone login` and remove it there"

// use works with a credential from now on, and has everything that waited for one checked: the
// registrations, and what Label Studio holds.
func (l *Link) use(c *labelstudio.Client, of Credential) {
	if old := l.client.Swap(&clientInUse{c, of}); old != nil {
		old.Close()
	}
	l.mu.Lock()
	l.fault, l.trouble = nil, ""
	l.mu.Unlock()
	if l.o.OnClient != nil {
		l.o.OnClient(c)
	}
	l.watchWake.Set()
	l.Check(true)
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
