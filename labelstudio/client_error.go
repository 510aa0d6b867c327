package labelstudio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"sort"
	"strings"

	"github.com/hone-ml/hone/internal/cut"
)

// APIError is an answer of Label Studio that is not a success.
type APIError struct {
	// Op says what was tried, in words: "create prediction".
	Op     string
	Method string
	// Path is below the configured address, without the query.
	Path   string
	Status int
	// Detail is Label Studio's own explanation, shortened; empty if it gave none.
	Detail string
	// Fix says what to do about it, when that is known.
	Fix string
}

func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: Label Studio answered %d to %s %s", e.Op, e.Status, e.Method, e.Path)
	if e.Detail != "" {
		fmt.Fprintf(&b, ": %s", e.Detail)
	}
	if e.Fix != "" {
		fmt.Fprintf(&b, "; %s", e.Fix)
	}
	return b.String()
}

// IsNotFound reports whether Label Studio has no such thing.
func IsNotFound(err error) bool { return statusOf(err) == http.StatusNotFound }

// IsUnauthorized reports whether Label Studio refused the credential.
func IsUnauthorized(err error) bool { return statusOf(err) == http.StatusUnauthorized }

// IsForbidden reports whether the credential is good but not allowed to do it,
// or Label Studio's block on private addresses struck.
func IsForbidden(err error) bool { return statusOf(err) == http.StatusForbidden }

// IsInvalid reports whether Label Studio found fault with what was sent.
func IsInvalid(err error) bool { return statusOf(err) == http.StatusBadRequest }

// Retryable reports whether the same call may succeed later without anybody
// changing anything: no answer, too busy, or a fault inside Label Studio. The
// client has already used up its own retries. A cancelled context is not
// retryable; a deadline is.
func Retryable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	var redirect *redirectError
	if errors.As(err, &redirect) {
		return false
	}
	switch s := statusOf(err); {
	case s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s >= 500:
		return true
	case s != 0:
		return false
	}
	var (
		ne net.Error
		ue *url.Error
	)
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &ne) || errors.As(err, &ue)
}

func statusOf(err error) int {
	var e *APIError
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

const maxDetail = 400

func (c *Client) apiError(k apiCall, res *http.Response) error {
	e := &APIError{Op: k.op, Method: k.method, Path: k.path, Status: res.StatusCode}
	body, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	var answer struct {
		Detail     any            `json:"detail"`
		Validation map[string]any `json:"validation_errors"`
	}
	switch err := json.Unmarshal(body, &answer); {
	case err == nil:
		// Before it is shortened: a secret cut in two is not found.
		e.Detail = shortenDetail(c.auth.redact(removeSecrets(errorDetail(answer.Detail, answer.Validation), k.private...)))
	case isHTML(res.Header) && res.StatusCode != http.StatusNotFound:
		e.Detail = "a web page instead of JSON"
	}
	e.Fix = fixFor(e)
	return e
}

// errorDetail returns the validation errors if there are some, as the detail beside them
// only says "Validation error".
func errorDetail(d any, validation map[string]any) string {
	var parts []string
	for field, v := range validation {
		text := flattenErrors(v)
		if field != "non_field_errors" {
			text = field + ": " + text
		}
		parts = append(parts, text)
	}
	if len(parts) > 0 {
		sort.Strings(parts)
		return strings.Join(parts, "; ")
	}
	return flattenErrors(d)
}

func flattenErrors(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, flattenErrors(x))
		}
		return strings.Join(parts, " ")
	case map[string]any:
		return errorDetail(nil, v)
	default:
		return fmt.Sprint(v)
	}
}

// linkTags are the only markup in Label Studio's messages; label config tags stay.
var linkTags = regexp.MustCompile(`</?a(\s[^>]*)?>`)

func shortenDetail(s string) string {
	s = linkTags.ReplaceAllString(s, "")
	return cut.Ellipsis(strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " "), maxDetail)
}

// UnblockFix is what lets Label Studio call a private address, which as it comes it does not.
const UnblockFix = "set SSRF_PROTECTION_ENABLED=false and ML_BLOCK_LOCAL_IP=false in Label Studio's environment and restart it, or use `hone connect --poll`, for which Label Studio need not reach hone"

func fixFor(e *APIError) string {
	d := strings.ToLower(e.Detail)
	switch {
	case e.Status == http.StatusUnauthorized && strings.Contains(d, "legacy token authentication has been disabled"):
		return "use a personal access token (Account & Settings > Personal Access Token), or turn on legacy tokens under Organization > API Tokens Settings"
	case e.Status == http.StatusUnauthorized:
		return "give hone a token that works: Label Studio makes one under Account & Settings > Personal Access Token; then `hone login`, or LABEL_STUDIO_API_KEY"
	case e.Status == http.StatusForbidden && strings.Contains(d, "reserved network address"):
		return UnblockFix
	case e.Status == http.StatusForbidden && strings.Contains(d, "provided url was not allowed"):
		return "write the address like http://hone.internal:9090, and percent-encode what is special in its password"
	case strings.Contains(d, "can't resolve hostname"):
		return "use a name that Label Studio's own machine can look up, or its IPv4 address: it takes no IPv6 address for an ML backend"
	case strings.Contains(d, "authentication parameters were either not provided or are incorrect"):
		return "check the user name and password that Label Studio is to send to the ML backend"
	}
	return ""
}

// transportError says where the call was going; the credential is in a header
// and so never part of it.
func (c *Client) transportError(k apiCall, err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // its URL repeats the query, which helps nobody
	}
	var redirect *redirectError
	if errors.As(err, &redirect) {
		return fmt.Errorf("%s: %w", k.op, err)
	}
	if unreadableRedirect(err) {
		return fmt.Errorf("%s: %w", k.op, &redirectError{fmt.Sprintf("Label Studio at %s redirects to an address that cannot be read; set the Label Studio URL to the address that really serves it", c.base)})
	}
	return fmt.Errorf("%s: no answer from Label Studio at %s: %w", k.op, c.base, &transportFailure{err})
}

// transportFailure marks a failure below HTTP, for Retryable.
type transportFailure struct{ err error }

func (e *transportFailure) Error() string   { return removeSecrets(e.err.Error()) } // it may quote where a redirect led
func (e *transportFailure) Unwrap() error   { return e.err }
func (e *transportFailure) Timeout() bool   { return errors.Is(e.err, context.DeadlineExceeded) }
func (e *transportFailure) Temporary() bool { return true }

// redirectError is a redirect that was not followed.
type redirectError struct{ reason string }

func (e *redirectError) Error() string { return e.reason }

// unreadableRedirect reports whether an error quotes the target of a redirect that is no URL
// and may hold a password anywhere. The net/http package has no type for it.
func unreadableRedirect(err error) bool {
	return strings.Contains(err.Error(), "failed to parse Location header")
}

// checkRedirect follows a redirect only if it is a read and stays below the
// configured address: anything else would hand the token to somebody else, or
// silently turn a write into a read.
func checkRedirect(base *url.URL, req *http.Request, via []*http.Request) error {
	to := req.URL
	// Neither query nor userinfo of a foreign address belongs in an error.
	target := (&url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}).String()
	clean := path.Clean("/" + to.Path)
	switch {
	case base.Scheme == "http" && to.Scheme == "https" && strings.EqualFold(base.Hostname(), to.Hostname()):
		return &redirectError{fmt.Sprintf("Label Studio at %s redirects to https; the token is not sent over a redirect: set the Label Studio URL to https://%s%s", base, to.Host, base.Path)}
	case to.Scheme != base.Scheme || !strings.EqualFold(to.Host, base.Host):
		return &redirectError{fmt.Sprintf("Label Studio at %s redirects to another address, %s; the token is not sent there: set the Label Studio URL to the address that really serves it", base, target)}
	case base.Path != "" && clean != base.Path && !strings.HasPrefix(clean, base.Path+"/"):
		return &redirectError{fmt.Sprintf("Label Studio at %s redirects to %s, outside the configured path; the token is not sent there: correct the path in the Label Studio URL", base, target)}
	case via[0].Method != http.MethodGet:
		return &redirectError{fmt.Sprintf("Label Studio at %s redirects a %s to %s; correct the Label Studio URL", base, via[0].Method, target)}
	case len(via) >= 5:
		return &redirectError{fmt.Sprintf("Label Studio at %s redirects in a circle, last to %s", base, target)}
	}
	return nil
}

func isHTML(h http.Header) bool {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && t == "text/html"
}
