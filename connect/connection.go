// Package connect keeps the connection between hone and Label Studio: which
// Label Studio and which token, hone's registration with a project, the signature
// on its webhook, and the doctor that says what is wrong.
package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/internal/netguard"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/wake"
	"github.com/hone-ml/hone/labelstudio"
)

// ErrNoCredential says that hone has no working way to call Label Studio.
var ErrNoCredential = errors.New("hone has no Label Studio to work with yet: " + connectionHelp + ". Or paste the address that `hone secret` prints under Settings > Model of a project, where legacy tokens are switched on; " + blockedHelp)

// Credential is an address of Label Studio and a token for it.
type Credential struct {
	URL   string
	Token secret.Secret
	// Chosen is true when an administrator gave it to hone, false when a /setup call
	// brought it: hone follows the address of such a call to fewer places.
	Chosen bool
	// FromPage is true when the token stood in the extra parameters of the backend's page
	// in Label Studio.
	FromPage bool
}

// Vault keeps the credential that Login or /setup brought, across restarts. The zero
// Credential means that there is none.
type Vault interface {
	Credential(ctx context.Context) (Credential, error)
	SetCredential(ctx context.Context, c Credential) error
}

// Records keep what hone remembers of its registrations, durably. Safe for concurrent use.
type Records interface {
	// Registrations returns those of all projects. An error beside a map names what is
	// damaged and therefore not in it.
	Registrations(ctx context.Context) (map[event.ProjectID]event.Registration, error)
	SetRegistration(ctx context.Context, p event.ProjectID, r event.Registration) error
}

// Options say what is configured. URL and Token may be empty (zero
// configuration); the rest is required unless stated.
type Options struct {
	URL   string
	Token secret.Secret
	// Client is the template for clients: limits, timeouts, logger.
	Client labelstudio.Options
	// Keys are the credentials that Label Studio shall send to hone; required.
	Keys *access.Keys
	// Port is where hone listens.
	Port int
	// Refused counts what hone refuses, since the start; nil: nothing.
	Refused func() Refused
	// ManageSampling lets hone turn on uncertainty sampling in projects that are
	// still on Label Studio's default.
	ManageSampling bool
	Vault          Vault
	// Records remember registrations over restarts; nil: nothing does.
	Records Records
	// Live names a project's live version, "" when it has none.
	Live func(event.ProjectID) string
	// Learned names the controls of a label config that hone learns, at least one; the
	// error says why there is none, and what would work.
	Learned func(labelConfig string) (controls []string, err error)
	// LeftAlone are the controls of a label config that hone does not learn, with the
	// reasons; may be nil.
	LeftAlone func(labelConfig string) []api.Unlearnable
	// Known lists the projects hone has heard of.
	Known func(context.Context) ([]event.ProjectID, error)
	// CreatedAt is when Label Studio made a project that hone knows, in unix seconds, 0 when
	// unknown; may be nil.
	CreatedAt func(context.Context, event.ProjectID) (int64, error)
	// Holds are the ids hone holds of a project, for the doctor to compare; may be nil.
	Holds func(context.Context, event.ProjectID) ([]event.KnownTask, error)
	// Polling returns how hone polls a project, and whether it does; nil: it polls none.
	Polling func(event.ProjectID) (Polling, bool)
	// Counters returns figures of hone itself for the doctor; may be nil.
	Counters func(event.ProjectID) Counters
	// OnClient is called when a Label Studio becomes reachable after the start.
	OnClient func(*labelstudio.Client)
	// OnProblem is called when a project's loop with Label Studio is found broken, with what
	// is wrong and how to mend it, and again when that is over. It must return at once. May
	// be nil.
	OnProblem func(p event.ProjectID, broken api.Step, gone bool)
	// OnChange is called when webhooks may have been lost, or when hone may write to a
	// project again or must not any more: compare it, and look anew at what Label Studio
	// holds. It must return at once. May be nil.
	OnChange func(p event.ProjectID, why string)
	Logger   *logrus.Entry
}

func (o *Options) setDefaults() {
	if o.Refused == nil {
		o.Refused = func() Refused { return Refused{} }
	}
	if o.OnProblem == nil {
		o.OnProblem = func(event.ProjectID, api.Step, bool) {}
	}
	if o.OnChange == nil {
		o.OnChange = func(event.ProjectID, string) {}
	}
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
}

func (o *Options) validate() error {
	if o.Keys == nil || o.Vault == nil {
		return errors.New("connect: Keys and Vault are required")
	}
	return nil
}

// Refused counts what came without the secret: webhooks, and calls of the
// ML-backend protocol.
type Refused struct{ Webhooks, Calls uint64 }

// Counters are figures of the running hone that point to a broken connection.
type Counters struct {
	// Duplicates and Unsigned count webhooks since the start.
	Duplicates, Unsigned uint64
	// DeadLetters counts events that could not be handled.
	DeadLetters int
	// Missed counts changes found only by reconcile.
	Missed uint64
	// Pool counts the tasks that nobody has labelled.
	Pool int
}

// Link is the connection. It is safe for concurrent use.
type Link struct {
	o      Options
	life   *service.Life
	client atomic.Pointer[clientInUse]
	settle time.Duration
	// idsAgain is how long the doctor waits before it believes that ids differ.
	idsAgain time.Duration
	retry    time.Duration
	// repairing is a lock, held while a registration is changed: two at once would each make
	// the webhook that the other is about to make.
	repairing chan struct{}

	// storing is held while a record is changed and stored, so that they are stored in the
	// order of the changes. It is taken before mu.
	storing sync.Mutex

	mu sync.Mutex
	// fault is why there is no client although /setup offered a token.
	fault error
	// trouble is what the watch last found; "" when Label Studio answers and takes the token.
	trouble string
	// registrations say how far each project's registration carries the secret.
	registrations map[event.ProjectID]*registrationState
	// generation counts the secrets. The result of a check that began under an older one is
	// dropped.
	generation int
	// hosts is hone's own host:port per project, as Label Studio addressed it.
	hosts map[event.ProjectID]string
	// records say what hone remembers of each registration.
	records map[event.ProjectID]event.Registration
	// loops say what the last check of each project found.
	loops map[event.ProjectID]*loopState
	// disconnecting are the projects that are being disconnected, or were forgotten: nothing
	// is written to them.
	disconnecting map[event.ProjectID]bool
	// looks are the projects to check without delay; true: in full.
	looks map[event.ProjectID]bool
	// otherServers are the addresses, other than the one in use, that /setup named.
	otherServers map[string]bool

	// look says that looks has some.
	look wake.Signal
	// requests carries the projects to check; its capacity bounds a burst of /setup.
	requests chan checkRequest
	// checks requests a check of all registrations; true: of each in full.
	checks chan bool
	// offers carries the /setup calls that may bring a host and a token.
	offers chan Setup
	// lastTokenCheck is when the token in use was last checked; only run uses it.
	lastTokenCheck time.Time
	// watchWake has the watch look at Label Studio now.
	watchWake wake.Signal
}

// clientInUse is a client and the credential that it was made of.
type clientInUse struct {
	*labelstudio.Client
	credential Credential
}

// New makes the client from the configuration, or from the credential that an earlier /setup
// brought.
func New(ctx context.Context, o Options) (*Link, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	l := &Link{
		o: o, life: service.NewLife(), settle: checkDelay, retry: retryAfter, idsAgain: idsAgain, repairing: make(chan struct{}, 1),
		hosts: map[event.ProjectID]string{}, otherServers: map[string]bool{},
		records: map[event.ProjectID]event.Registration{}, loops: map[event.ProjectID]*loopState{},
		disconnecting: map[event.ProjectID]bool{}, looks: map[event.ProjectID]bool{}, look: wake.New(),
		registrations: map[event.ProjectID]*registrationState{}, checks: make(chan bool, 1),
		requests: make(chan checkRequest, 64), offers: make(chan Setup, 1), watchWake: wake.New(),
	}
	if o.Records != nil {
		records, err := o.Records.Registrations(ctx)
		if records == nil {
			return nil, err
		}
		if err != nil { // a project whose record is damaged stops no other
			l.o.Logger.WithError(err).Error("what is remembered of how projects are connected cannot be read and counts for nothing; connect them again with `hone connect --project ID`")
		}
		l.records = records
	}
	cred := Credential{URL: o.URL, Token: o.Token, Chosen: true}
	if o.URL == "" || o.Token == "" {
		kept, err := o.Vault.Credential(ctx)
		if err != nil {
			return nil, err
		}
		if o.URL == "" || sameURL(kept.URL, o.URL) {
			cred = kept
		}
	}
	if cred.URL != "" && cred.Token != "" {
		c, err := l.clientFor(cred, isLoopbackHost(cred.URL)) // so it was when it was believed
		if err != nil {
			return nil, err
		}
		l.client.Store(&clientInUse{c, cred})
	}
	return l, nil
}

// clientFor makes the client for a credential. One that an administrator chose may lead
// anywhere; for another, here says whether it may lead to this machine.
func (l *Link) clientFor(c Credential, here bool) (*labelstudio.Client, error) {
	if c.Chosen || sameURL(c.URL, l.o.URL) {
		return l.newClient(c.URL, c.Token)
	}
	return l.guardedClient(c.URL, c.Token, here)
}

func (l *Link) newClient(at string, token secret.Secret) (*labelstudio.Client, error) {
	o := l.o.Client
	o.URL, o.Token = at, token
	return labelstudio.NewClient(o)
}

// guardedClient is newClient for an address that a request named: the client does not connect
// to link-local addresses and the like, and to loopback addresses only if here is true.
func (l *Link) guardedClient(at string, token secret.Secret, here bool) (*labelstudio.Client, error) {
	o := l.o.Client
	o.URL, o.Token = at, token
	base := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // as net/http makes it
	base.TLSClientConfig = o.TLS.Clone()
	o.Transport = netguard.Policy{AllowLoopback: here}.Transport(base)
	return labelstudio.NewClient(o)
}

// Client returns the client for the one Label Studio hone works with, or why
// there is none.
func (l *Link) Client() (*labelstudio.Client, error) {
	if c := l.client.Load(); c != nil {
		return c.Client, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault != nil {
		return nil, l.fault
	}
	if l.o.URL != "" {
		return nil, fmt.Errorf("there is no token for %s: %s", l.o.URL, loginHelp)
	}
	return nil, ErrNoCredential
}
