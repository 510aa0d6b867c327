package lstest

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	// urlForm finds the host: what may be around it in a webhook's URL.
	urlForm = regexp.MustCompile(`^(?i:https?|ftps?)://(?:[^\s:@/]+(?::[^\s:@/]*)?@)?(\[[^\]]*\]|[^\s:@/?#\[\]]+)(?::[0-9]{1,5})?(?:[/?#]\S*)?$`)
	// hostPart is one label of a name, lastPart what is more asked of the last.
	hostPart = regexp.MustCompile(`^[a-z0-9\x{a1}-\x{ffff}-]{1,63}$`)
	lastPart = regexp.MustCompile(`^(?:[^0-9]{2,}|xn--[a-z0-9]+)$`)
)

// validURL reports whether Label Studio accepts a webhook's URL. It shares no code with
// labelstudio.CheckHookHost, so that tests can compare the two.
func validURL(address string) bool {
	m := urlForm.FindStringSubmatch(address)
	if m == nil || utf8.RuneCountInString(address) > 2048 {
		return false
	}
	host := strings.ToLower(m[1])
	if strings.HasPrefix(host, "[") {
		ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
		return err == nil && ip.Is6() && ip.Zone() == ""
	}
	if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.Is4() {
		return true
	}
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	for _, p := range parts {
		if !hostPart.MatchString(p) || p[0] == '-' || p[len(p)-1] == '-' {
			return false
		}
	}
	return len(parts) > 1 && lastPart.MatchString(parts[len(parts)-1]) && utf8.RuneCountInString(host) <= 253
}

// refusedBackend returns Label Studio's refusal of an ML backend's address, nil when it
// accepts the address. It looks names up for IPv4 only, the bracketed ones too.
func refusedBackend(address string) *apiResult {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https":
		return new(failureResult(http.StatusForbidden, "The provided URL was not allowed. URLs must use http:// or https://, and must not resolve to local or private network addresses when SSRF protection applies."))
	case strings.HasPrefix(u.Host, "["):
		return new(unresolvedHost("[" + u.Hostname() + "]"))
	}
	return nil
}

func unresolvedHost(host string) apiResult {
	return failureResult(http.StatusInternalServerError, "Can't resolve hostname "+host)
}

// withoutUserInfo removes the user info of an address, for calls with other credentials.
func withoutUserInfo(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.User = nil
	return u.String()
}

// SetNames says where the hosts that webhooks and ML backends name really are,
// as in {"hone.internal:9090": "127.0.0.1:34567"}; other hosts are looked up.
func (s *Server) SetNames(names map[string]string) {
	s.locked(func() { s.names = maps.Clone(names) })
}

func (s *Server) dial(ctx context.Context, network, address string) (net.Conn, error) {
	s.locked(func() {
		if to, found := s.names[address]; found {
			address = to
		}
	})
	return new(net.Dialer).DialContext(ctx, network, address)
}
