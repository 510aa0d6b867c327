package labelstudio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/hone-ml/hone/internal/backoff"
)

type attemptPolicyKey struct{}

// attemptPolicy says how a request may be attempted. It travels in the request's context to
// the retry policy and the transport.
type attemptPolicy struct {
	timeout    time.Duration
	repeatable bool
}

func attemptPolicyOf(ctx context.Context) attemptPolicy {
	p, _ := ctx.Value(attemptPolicyKey{}).(attemptPolicy)
	return p
}

// checkRetry is the one place that decides whether a request is sent again.
func (c *Client) checkRetry(ctx context.Context, res *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	p := attemptPolicyOf(ctx)
	if err != nil {
		again := retryableTransport(err, p.repeatable)
		if again {
			c.log.WithError(&transportFailure{err}).Debug("Label Studio did not answer")
		}
		return again, nil
	}
	again := false
	switch res.StatusCode {
	case http.StatusTooManyRequests:
		again = true
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		again = p.repeatable
	case http.StatusServiceUnavailable:
		// With a Retry-After the server says itself that it did nothing.
		again = p.repeatable || res.Header.Get("Retry-After") != ""
	}
	if again {
		c.log.WithField("status", res.StatusCode).Debug("Label Studio is busy")
	}
	return again, nil
}

// retryableTransport reports whether a request that got no answer may be sent
// again.
func retryableTransport(err error, repeatable bool) bool {
	var (
		redirect  *redirectError
		unknown   x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		cert      *tls.CertificateVerificationError
		recordErr tls.RecordHeaderError
		op        *net.OpError
		dns       *net.DNSError
	)
	switch {
	case errors.As(err, &redirect), unreadableRedirect(err),
		errors.As(err, &unknown), errors.As(err, &hostname), errors.As(err, &invalid),
		errors.As(err, &cert), errors.As(err, &recordErr):
		return false
	case errors.As(err, &dns) && dns.IsNotFound:
		return false // a wrong name stays wrong; waiting only hides the fault
	case errors.As(err, &op) && op.Op == "dial":
		return true // never reached the server
	default:
		return repeatable
	}
}

// jitteredBackoff returns pauses that double from least to most, with jitter on the upper
// half. A Retry-After of the server wins, up to a minute.
func jitteredBackoff(chance func() float64) retryablehttp.Backoff {
	return func(least, most time.Duration, attempt int, res *http.Response) time.Duration {
		if res != nil {
			if d, ok := backoff.RetryAfter(res.Header, time.Now()); ok {
				return min(d, maxRetryAfter)
			}
		}
		d := backoff.Exponential{Min: least, Max: most}.Delay(attempt)
		return d/2 + time.Duration(chance()*float64(d/2))
	}
}

// limitedTransport holds the number of requests in flight below a limit and bounds each
// attempt in time. A slot is held until the body is closed, and never while
// waiting between attempts.
type limitedTransport struct {
	next  http.RoundTripper
	slots *semaphore.Weighted
}

func (l *limitedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if err := l.slots.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	cancel := context.CancelFunc(func() {})
	if t := attemptPolicyOf(ctx).timeout; t > 0 {
		ctx, cancel = context.WithTimeout(ctx, t)
		req = req.WithContext(ctx)
	}
	done := sync.OnceFunc(func() { cancel(); l.slots.Release(1) })
	res, err := l.next.RoundTrip(req)
	if err != nil {
		done()
		return nil, err
	}
	res.Body = &releasingBody{ReadCloser: res.Body, done: done}
	return res, nil
}

type releasingBody struct {
	io.ReadCloser
	done func()
}

func (r *releasingBody) Close() error {
	err := r.ReadCloser.Close()
	r.done()
	return err
}
