package labelstudio

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hone-ml/hone/internal/secret"
)

// CheckHookHost returns nil when Label Studio accepts the host and port of an
// address in a webhook's URL. It matters beyond webhooks: an ML backend with
// another host is added all the same, but silently gets no webhook. The error
// never quotes the address's user info.
func CheckHookHost(address string) error {
	p, ok := cutAddress(address)
	if !ok || p.scheme != "http" && p.scheme != "https" {
		return errors.New("the address cannot be read as a URL; write it like http://hone.internal:9090")
	}
	if why := hostFault(p.host); why != "" {
		return fmt.Errorf("the host %q cannot be in a webhook's URL, Label Studio refuses it: %s; use a name with a dot such as hone.internal (a network alias of hone's container), or the IP address", p.host, why)
	}
	if p.colon && (p.port == "" || len(p.port) > 5) {
		return fmt.Errorf("the port %q after the host %q cannot be in a webhook's URL; write it like http://hone.internal:9090", p.port, p.host)
	}
	return nil
}

// hostFault returns what is wrong with a host, as a part of a sentence that names it; empty
// when nothing is wrong.
func hostFault(host string) string {
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "it is no IPv6 address"
		}
		return ""
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return ""
	}
	host = strings.ToLower(host)
	if host == "localhost" {
		return ""
	}
	if utf8.RuneCountInString(host) > 253 {
		return "it is longer than 253 characters"
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(labels) < 2 {
		return "it has no dot"
	}
	for _, label := range labels {
		if why := labelFault(label); why != "" {
			return why
		}
	}
	// The top-level domain: letters and hyphens, or punycode.
	top := labels[len(labels)-1]
	if coded, ok := strings.CutPrefix(top, "xn--"); ok && coded != "" && !strings.Contains(coded, "-") && isASCII(coded) {
		return ""
	}
	if utf8.RuneCountInString(top) < 2 || strings.ContainsFunc(top, func(r rune) bool { return '0' <= r && r <= '9' }) {
		return fmt.Sprintf("it ends in %q, which is neither two letters or more nor part of an IP address", top)
	}
	return ""
}

func labelFault(label string) string {
	switch {
	case label == "":
		return "it has an empty part"
	case utf8.RuneCountInString(label) > 63:
		return "a part of it is longer than 63 characters"
	case label[0] == '-' || label[len(label)-1] == '-':
		return fmt.Sprintf("its part %q starts or ends with a hyphen", label)
	case strings.ContainsFunc(label, func(r rune) bool { return !hostRune(r) }):
		return fmt.Sprintf("its part %q holds more than letters, digits and hyphens", label)
	}
	return ""
}

// hostRune reports whether a character may be in a host: a letter, a mark or a digit of the
// basic plane, or a hyphen. Label Studio accepts symbols of that plane too, which no host
// name has.
func hostRune(r rune) bool {
	if r <= unicode.MaxASCII {
		return r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z'
	}
	return r > 0xa0 && r < utf8.RuneError && unicode.In(r, unicode.L, unicode.M, unicode.N)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// UserInfo reads an address's user name and password, without their
// percent-encoding; Label Studio sends them as Basic authentication, provided
// there is a colon between them. ok is false when there is none, or the address
// cannot be read.
func UserInfo(address string) (user string, pass secret.Secret, ok bool) {
	p, ok := cutAddress(address)
	if !ok || p.user == nil {
		return "", "", false
	}
	password, _ := p.user.Password()
	return p.user.Username(), secret.Secret(password), true
}

// WithUserInfo replaces an address's user info; without user and pass it has
// none. Label Studio takes a webhook's only with a user, and sends only Latin-1.
// An address that cannot be read is returned as it is.
func WithUserInfo(address, user string, pass secret.Secret) string {
	p, ok := cutAddress(address)
	switch {
	case !ok:
		return address
	case user == "" && pass == "":
		return p.head + p.tail
	}
	return p.head + url.UserPassword(user, pass.Reveal()).String() + "@" + p.tail
}

// WithoutUserInfo is the address to show: the same without user name and
// password. Of an address that cannot be read it leaves out what may be one,
// everything up to its last @.
func WithoutUserInfo(address string) string {
	if p, ok := cutAddress(address); ok {
		return p.head + p.tail
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address
	}
	head := ""
	if scheme, _, found := strings.Cut(address[:at], "://"); found && isScheme(scheme) {
		head = scheme + "://"
	}
	return head + address[at+1:]
}

// isScheme reports whether a text is a URL's scheme. It is stricter than the standard, which
// does no harm here: then more of the address is left out.
func isScheme(s string) bool {
	switch strings.ToLower(s) {
	case "http", "https", "ftp", "ftps":
		return true
	}
	return false
}

// SameHook reports whether two addresses reach the same receiver: host, port and
// path decide, a slash at the end does not. Scheme, user info and query are
// ignored. Addresses that cannot be read are the same only if equal.
func SameHook(a, b string) bool {
	p, okA := cutAddress(a)
	q, okB := cutAddress(b)
	if !okA || !okB {
		return a == b
	}
	return p.receiver() == q.receiver()
}

// addressParts are a URL with a host, cut around its user info: head + user info + @ +
// tail is the text it was read from.
type addressParts struct {
	head, tail string
	scheme     string
	user       *url.Userinfo // nil without
	host, port string        // an IPv6 host in its brackets
	colon      bool          // between host and port
	path       string
}

func cutAddress(s string) (addressParts, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return addressParts{}, false
	}
	before, after, _ := strings.Cut(s, "//")
	authority, rest := after, ""
	if i := strings.IndexAny(after, "/?#"); i >= 0 {
		authority, rest = after[:i], after[i:]
	}
	host := authority[strings.LastIndexByte(authority, '@')+1:]
	p := addressParts{head: before + "//", tail: host + rest, scheme: u.Scheme, user: u.User, host: host, path: u.Path}
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		p.host, p.port, p.colon = host[:i], host[i+1:], true
	}
	return p, true
}

// receiver returns host, port and path, which SameHook compares.
func (p addressParts) receiver() [3]string {
	port := p.port
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[p.scheme]
	}
	return [3]string{strings.ToLower(p.host), port, strings.TrimRight(p.path, "/")}
}
