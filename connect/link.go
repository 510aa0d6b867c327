// Package connect keeps the connection between hone and Label Studio: which
// Label Studio and which token, hone's registration with a project, the signature
// on its webhook, and the doctor that says what is wrong.
package connect

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// ErrNoCredential says that hone has no working way to call Label Studio.
var ErrNoCredential = errors.New("no Label Studio is configured: set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY (a token from Account & Settings in Label Studio) and restart hone")

// Vault keeps the host and token that /setup taught, across restarts.
type Vault interface {
	Credential(ctx context.Context) (url string, token labelstudio.Secret, err error)
	SetCredential(ctx context.Context, url string, token labelstudio.Secret) error
}

// Options say what is configured. URL and Token may be empty (zero
// configuration); the rest is required unless stated.
type Options struct {
	URL   string
	Token labelstudio.Secret
	// Client is the template for clients: limits, timeouts, logger.
	Client labelstudio.Options
	// Header and Secret sign hone's webhook; an empty secret means unsigned.
	Header string
	Secret labelstudio.Secret
	// User and Password protect hone's ML-backend endpoints; empty: open.
	User     string
	Password labelstudio.Secret
	// ManageSampling lets hone turn on uncertainty sampling in projects that are
	// still on Label Studio's default.
	ManageSampling bool
	Vault          Vault
	// Live names a project's live version, "" when it has none.
	Live func(event.ProjectID) string
	// Known lists the projects hone has heard of.
	Known func(context.Context) ([]event.ProjectID, error)
	// Counters reads what the doctor wants to know of hone itself; may be nil.
	Counters func(event.ProjectID) Counters
	// OnClient is called when a Label Studio becomes reachable after the start.
	OnClient func(*labelstudio.Client)
	Logger   *logrus.Entry
}

// Counters are figures of the running hone that point to a broken connection.
type Counters struct {
	// Duplicates and Unsigned count webhooks since the start.
	Duplicates, Unsigned uint64
	// DeadLetters counts events that could not be handled.
	DeadLetters int
	// Missed counts changes found only by reconcile.
	Missed uint64
}

// Link is the connection. It is safe for concurrent use.
type Link struct {
	o      Options
	client atomic.Pointer[labelstudio.Client]
	// adopting is held while a token from /setup is tried, which takes a request.
	adopting sync.Mutex

	mu sync.Mutex
	// fault is why there is no client although /setup offered a token.
	fault error
	// hosts is hone's own host:port per project, as Label Studio addressed it.
	hosts map[event.ProjectID]string

	// due carries the projects to look after; capacity bounds a burst of /setup.
	due chan event.ProjectID
}

// New makes the client from the configuration, or from what an earlier /setup
// taught.
func New(ctx context.Context, o Options) (*Link, error) {
	l := &Link{o: o, hosts: map[event.ProjectID]string{}, due: make(chan event.ProjectID, 64)}
	at, token := o.URL, o.Token
	if at == "" {
		var err error
		if at, token, err = o.Vault.Credential(ctx); err != nil {
			return nil, err
		}
	}
	if at != "" && token != "" {
		c, err := l.newClient(at, token)
		if err != nil {
			return nil, err
		}
		l.client.Store(c)
	}
	return l, nil
}

// Close releases the client's connections.
func (l *Link) Close() {
	if c := l.client.Load(); c != nil {
		c.Close()
	}
}

func (l *Link) newClient(at string, token labelstudio.Secret) (*labelstudio.Client, error) {
	o := l.o.Client
	o.URL, o.Token = at, token
	return labelstudio.NewClient(o)
}

// Client returns the client for the one Label Studio hone works with, or why
// there is none.
func (l *Link) Client() (*labelstudio.Client, error) {
	if c := l.client.Load(); c != nil {
		return c, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault != nil {
		return nil, l.fault
	}
	if l.o.URL != "" {
		return nil, fmt.Errorf("LABEL_STUDIO_API_KEY is not set: copy a token from Account & Settings in %s and restart hone", l.o.URL)
	}
	return nil, ErrNoCredential
}

// Setup is what Label Studio's /setup call says of itself.
type Setup struct {
	Project event.ProjectID
	// Hostname is Label Studio's own address, Token its creator's legacy token.
	Hostname string
	Token    labelstudio.Secret
	// BackendURL is hone's address as Label Studio called it.
	BackendURL string
}

// Heard takes note of a /setup call and returns at once; the work it leads to
// is done by Run.
func (l *Link) Heard(ctx context.Context, s Setup) {
	if u, err := url.Parse(s.BackendURL); err == nil && u.Host != "" {
		l.mu.Lock()
		l.hosts[s.Project] = u.Host
		l.mu.Unlock()
	}
	if l.o.URL == "" && l.client.Load() == nil && s.Hostname != "" {
		// Trying the token calls Label Studio, which waits for this /setup: later.
		go l.adopt(context.WithoutCancel(ctx), s)
	}
	if c := l.client.Load(); c != nil && s.Hostname != "" && !strings.EqualFold(strings.TrimRight(s.Hostname, "/"), c.URL()) {
		l.o.Logger.WithFields(logrus.Fields{"project": s.Project, "hostname": s.Hostname, "label_studio": c.URL()}).
			Debug("/setup names another host than the Label Studio hone works with; it is not called")
	}
	l.LookAfter(s.Project)
}

// adopt tries the token that /setup carried, once per offer.
func (l *Link) adopt(ctx context.Context, s Setup) {
	if !l.adopting.TryLock() {
		return
	}
	defer l.adopting.Unlock()
	if l.client.Load() != nil {
		return
	}
	log := l.o.Logger.WithField("label_studio", s.Hostname)
	say := func(err error) {
		l.mu.Lock()
		l.fault = err
		l.mu.Unlock()
		log.Warn(err)
	}
	if s.Token == "" {
		say(fmt.Errorf("/setup from %s carried no token: set LABEL_STUDIO_URL=%s and LABEL_STUDIO_API_KEY and restart hone", s.Hostname, s.Hostname))
		return
	}
	c, err := l.newClient(s.Hostname, s.Token)
	if err != nil {
		say(fmt.Errorf("the address %q in /setup is of no use: %w; set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY and restart hone", s.Hostname, err))
		return
	}
	if _, err := c.WhoAmI(ctx); err != nil {
		c.Close()
		say(fmt.Errorf("the token that Label Studio sends by itself does not work there; hone learns from webhooks but cannot set the queue: set LABEL_STUDIO_URL=%s and LABEL_STUDIO_API_KEY to a token from Account & Settings and restart hone (%w)", s.Hostname, err))
		return
	}
	if err := l.o.Vault.SetCredential(ctx, s.Hostname, s.Token); err != nil {
		log.WithError(err).Warn("the Label Studio found by /setup works but could not be remembered for the next start")
	}
	l.client.Store(c)
	log.Info("found Label Studio by its /setup call, and its token works")
	if l.o.OnClient != nil {
		l.o.OnClient(c)
	}
	l.LookAfter(s.Project)
}
