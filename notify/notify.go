// Package notify tells a chat, by its incoming webhook, which problems of projects have
// appeared and which are gone.
package notify

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/wake"
)

// State says what has become of a problem.
type State string

const (
	// Appeared: the problem was not there before.
	Appeared State = "appeared"
	// Gone: it is not there any more.
	Gone State = "gone"
)

// Alert is a problem of a project that has appeared or is gone.
type Alert struct {
	Project event.ProjectID `json:"project"`
	// Problem is a sentence; Fix says what to do about it.
	Problem string `json:"problem"`
	Fix     string `json:"fix"`
	State   State  `json:"state"`
}

// Options configure a Notifier. Zero values of the last group mean the defaults named.
type Options struct {
	// URL is the chat's incoming webhook, with the token that such addresses carry.
	URL secret.Secret
	// Client sends the requests; nil: one of its own. It must not follow redirects, which
	// would tell the address to somebody else.
	Client *http.Client
	Logger *logrus.Entry

	// Gather is how long the first alert waits for others, to go with them. Default 2 s.
	Gather time.Duration
	// Spacing is the least time between two messages; what comes meanwhile goes together.
	// Default 30 s.
	Spacing time.Duration
	// Timeout bounds one attempt. Default 10 s.
	Timeout time.Duration
	// MinRetry and MaxRetry are the first pause and the longest between attempts. Defaults
	// 2 s and 1 min.
	MinRetry, MaxRetry time.Duration
}

func (o *Options) setDefaults() {
	for value, byDefault := range map[*time.Duration]time.Duration{
		&o.Gather: 2 * time.Second, &o.Spacing: 30 * time.Second, &o.Timeout: 10 * time.Second, &o.MinRetry: 2 * time.Second, &o.MaxRetry: time.Minute,
	} {
		if *value == 0 {
			*value = byDefault
		}
	}
	if o.Client == nil {
		o.Client = NewClient(nil)
	}
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
}

// NewClient returns a client that follows no redirect. A nil transport is one of its own.
func NewClient(t http.RoundTripper) *http.Client {
	if t == nil {
		t = &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// maxWaiting bounds the alerts that wait; the oldest make way.
const maxWaiting = 200

// Notifier sends alerts in the background. All methods may be called concurrently.
type Notifier struct {
	o    Options
	life *service.Life
	wake wake.Signal

	mu      sync.Mutex
	waiting []Alert // guarded by mu
	dropped int     // guarded by mu: alerts that made way since the last message
}

// New checks the options. The errors do not quote the URL.
func New(o Options) (*Notifier, error) {
	o.setDefaults()
	u, err := url.Parse(o.URL.Reveal())
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("notify: URL is not an http or https address")
	}
	return &Notifier{o: o, life: service.NewLife(), wake: wake.New()}, nil
}

// Start begins to send, as service.Service says.
func (n *Notifier) Start(ctx context.Context) error { return n.life.Start(ctx, n.sendAll) }

// Stop ends it, as service.Service says. What was not sent is lost.
func (n *Notifier) Stop(ctx context.Context) error { return n.life.Stop(ctx) }

var _ service.Service = (*Notifier)(nil)

// Enqueue has an alert sent soon, with others. It returns at once. An alert that takes back
// one that still waits goes with it: neither is sent.
func (n *Notifier) Enqueue(a Alert) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, w := range n.waiting {
		if w.Project == a.Project && w.Problem == a.Problem && w.State != a.State {
			n.waiting = append(n.waiting[:i:i], n.waiting[i+1:]...)
			return
		}
	}
	if len(n.waiting) == maxWaiting {
		n.waiting = n.waiting[1:]
		n.dropped++
	}
	n.waiting = append(n.waiting, a)
	n.wake.Set()
}

func (n *Notifier) take() (alerts []Alert, dropped int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	alerts, dropped = n.waiting, n.dropped
	n.waiting, n.dropped = nil, 0
	return alerts, dropped
}
