package labelstudio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/sirupsen/logrus"
	"golang.org/x/sync/semaphore"

	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/internal/secret"
)

// Options say which Label Studio a Client talks to and how hard it may push it.
// Only URL and Token are required.
type Options struct {
	// URL is Label Studio's address, with its path prefix if it has one:
	// "https://host/label-studio". The token is sent nowhere else: a redirect to
	// another host, port or scheme, or out of the prefix, is an error that names
	// its target and is not followed.
	URL string
	// Token is a legacy token or a personal access token, told apart by itself.
	// Empty sends no credential; only Version works then.
	Token secret.Secret
	// Logger receives retries and refused redirects at debug level; nil is silent.
	Logger *logrus.Entry
	// MaxInFlight limits the requests running at once; 0 means 4.
	MaxInFlight int
	// Timeout bounds one attempt of an ordinary request, from connecting to the
	// last byte; 0 means 30 s. Waiting for a free slot does not count.
	Timeout time.Duration
	// SlowTimeout is the same for the calls that take Label Studio long (bulk
	// imports, deleting a version, retrieving predictions); 0 means 15 min.
	SlowTimeout time.Duration
	// Retries is how often a request that may be repeated is repeated; 0 means
	// 4, negative means never.
	Retries int
	// RetryWait is the first pause between attempts; it doubles up to
	// MaxRetryWait, with jitter. 0 means 200 ms and 10 s. A Retry-After from the
	// server is honoured up to a minute.
	RetryWait, MaxRetryWait time.Duration
	// Jitter is the chance in the pauses, from 0 to below 1; nil is math/rand.
	Jitter func() float64
	// TLS says which certificates are trusted and shown, such as those of a
	// private authority; nil trusts the system's. It is copied, and not looked at
	// when there is a Transport.
	TLS *tls.Config
	// Transport replaces the network, for tests; nil is a pooled transport.
	Transport http.RoundTripper
}

// Client speaks Label Studio's HTTP API. It is safe for concurrent use. Every
// method takes a context that bounds the whole call, retries included, and
// returns *APIError for an answer that is not a success.
//
// Repeating is decided per call: refused connections and 429 are repeated
// always, because nothing was executed; timeouts, broken connections and 502,
// 503, 504 only when doing the call twice is the same as doing it once.
type Client struct {
	base   *url.URL // path without trailing slash
	http   *retryablehttp.Client
	auth   *authenticator
	log    *logrus.Entry
	opts   Options // without the token
	closer func()
	// patching holds a lock per project, a *semaphore.Weighted by its event.ProjectID, for
	// PatchProject.
	patching sync.Map
}

const (
	defaultTimeout      = 30 * time.Second
	defaultSlowTimeout  = 15 * time.Minute
	defaultMaxInFlight  = 4
	defaultRetries      = 4
	defaultRetryWait    = 200 * time.Millisecond
	defaultMaxRetryWait = 10 * time.Second
	maxRetryAfter       = time.Minute
	// maxAnswerBytes bounds what is read of one answer; a page of tasks is far below.
	maxAnswerBytes = 512 << 20
)

func (o *Options) setDefaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.Timeout, defaultTimeout)
	def(&o.SlowTimeout, defaultSlowTimeout)
	def(&o.RetryWait, defaultRetryWait)
	def(&o.MaxRetryWait, defaultMaxRetryWait)
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = defaultMaxInFlight
	}
	switch {
	case o.Retries == 0:
		o.Retries = defaultRetries
	case o.Retries < 0:
		o.Retries = 0
	}
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
}

// NewClient checks the options and returns a client. It sends nothing.
func NewClient(o Options) (*Client, error) {
	base, err := parseBase(o.URL)
	if err != nil {
		return nil, err
	}
	token := secret.Secret(strings.TrimSpace(string(o.Token)))
	if strings.ContainsFunc(string(token), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the Label Studio token contains spaces or characters that no token has; copy it again from Account & Settings > Personal Access Token")
	}
	o.Token = ""
	o.setDefaults()
	c := &Client{base: base, log: o.Logger, opts: o}

	transport := o.Transport
	c.closer = func() {}
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = o.MaxInFlight
		if o.TLS != nil {
			t.TLSClientConfig = o.TLS.Clone()
		}
		transport, c.closer = t, t.CloseIdleConnections
	}
	c.http = &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport: &limitedTransport{next: transport, slots: semaphore.NewWeighted(int64(o.MaxInFlight))},
			CheckRedirect: func(req *http.Request, via []*http.Request) error {
				return checkRedirect(base, req, via)
			},
		},
		RetryWaitMin: o.RetryWait,
		RetryWaitMax: o.MaxRetryWait,
		RetryMax:     o.Retries,
		CheckRetry:   c.checkRetry,
		Backoff:      jitteredBackoff(o.Jitter),
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	c.auth = newAuthenticator(c, token)
	return c, nil
}

// Close drops idle connections. Requests under way are not touched.
func (c *Client) Close() { c.closer() }

// URL is Label Studio's address as configured, without a trailing slash.
func (c *Client) URL() string { return c.base.String() }

// Format keeps the credential out of every kind of printing.
func (c *Client) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "labelstudio.Client(%s)", c.base)
}

func parseBase(s string) (*url.URL, error) {
	const fix = `; write it like "http://localhost:8080" or "https://host/label-studio"`
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil:
		// The parser's own error quotes the text, which may hold a password.
		return nil, errors.New("the Label Studio URL cannot be parsed" + fix)
	case u.User != nil:
		return nil, errors.New("the Label Studio URL contains a user name or password; Label Studio's API takes a token only" + fix)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.Hostname() == "":
		return nil, fmt.Errorf("the Label Studio URL %q has no http:// or https:// and host%s", WithoutUserInfo(u.String()), fix)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return nil, errors.New("the Label Studio URL contains a query or fragment" + fix)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	u.Host = strings.ToLower(u.Host)
	return u, nil
}

// apiCall describes one request.
type apiCall struct {
	op     string // for errors, without user info: "create prediction"
	method string
	path   string // below the base, starting with /
	query  url.Values
	body   any // encoded as JSON; nil sends none
	slow   bool
	// repeatable is true when doing it twice is the same as doing it once. GET,
	// PATCH and DELETE are taken as repeatable without saying so: every PATCH
	// here sets absolute values.
	repeatable bool
	// anonymous sends no credential.
	anonymous bool
	// private holds further secrets of the body, which must not be in an error.
	private []secret.Secret
	// into decodes the body of a success; nil discards it.
	into func(io.Reader, http.Header) error
}

func (c *Client) do(ctx context.Context, k apiCall) error {
	body, err := encodeBody(k)
	if err != nil {
		return err
	}
	header, err := c.auth.header(ctx, k.anonymous)
	if err != nil {
		return fmt.Errorf("%s: %w", k.op, err)
	}
	err = c.attempt(ctx, k, body, header)
	if k.anonymous || !IsUnauthorized(err) {
		return err
	}
	// The access token may have been revoked or the clocks may differ: renew
	// once. A 401 was not executed, so repeating is safe for every call.
	again, renewErr := c.auth.renew(ctx, header)
	if renewErr != nil {
		return fmt.Errorf("%s: %w", k.op, renewErr)
	}
	if again == header {
		return err
	}
	return c.attempt(ctx, k, body, again)
}

func (c *Client) attempt(ctx context.Context, k apiCall, body []byte, authorization string) error {
	u := *c.base
	u.Path += k.path
	u.RawQuery = k.query.Encode()
	timeout := c.opts.Timeout
	if k.slow {
		timeout = c.opts.SlowTimeout
	}
	ctx = context.WithValue(ctx, attemptPolicyKey{}, attemptPolicy{
		timeout:    timeout,
		repeatable: k.repeatable || k.method != http.MethodPost,
	})
	var raw any
	if body != nil {
		raw = body
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, k.method, u.String(), raw)
	if err != nil {
		return fmt.Errorf("%s: %w", k.op, err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "hone")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if res != nil {
			_ = res.Body.Close()
		}
		return c.transportError(k, err)
	}
	defer func() {
		_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // lets the connection be used again
		_ = res.Body.Close()
	}()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return c.apiError(k, res)
	}
	if k.into == nil {
		return nil
	}
	if err := k.into(io.LimitReader(res.Body, maxAnswerBytes), res.Header); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if isHTML(res.Header) {
			err = fmt.Errorf("the answer is a web page, not JSON; is %s really Label Studio's address (path prefix included)?", c.base)
		}
		return fmt.Errorf("%s: read the answer of %s %s%s: %w", k.op, k.method, c.base, k.path, err)
	}
	return nil
}
