package access

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Gate decides on requests that arrive at one address.
type Gate struct {
	keys     *Keys
	loopback bool
	insecure bool
	hosts    []string
	window   func() bool
}

// GateOptions describe the address and the callers that a gate decides on.
type GateOptions struct {
	// Addr is where the listener listens.
	Addr net.Addr
	// Insecure lets everything in.
	Insecure bool
	// AllowedHosts are further names in the Host header that count as this
	// machine's own.
	AllowedHosts []string
	// Upgrading, unless nil, reports whether Label Studio's registrations are just
	// being given the secret for the first time: its calls are let in meanwhile.
	Upgrading func() bool
}

// NewGate makes a gate.
func NewGate(k *Keys, o GateOptions) *Gate {
	g := &Gate{keys: k, loopback: isLoopback(o.Addr), insecure: o.Insecure, window: o.Upgrading}
	for _, h := range o.AllowedHosts {
		g.hosts = append(g.hosts, hostName(h))
	}
	if g.window == nil {
		g.window = func() bool { return false }
	}
	return g
}

func isLoopback(a net.Addr) bool {
	if a == nil {
		return false
	}
	ap, err := netip.ParseAddrPort(a.String())
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// Open reports whether some requests are let in without a credential, because of
// the address or because the operator wants it.
func (g *Gate) Open() bool {
	return g.insecure || (g.loopback && !g.keys.Configured())
}

// OpenToPeople reports whether those who look after hone are let in without a token.
func (g *Gate) OpenToPeople() bool {
	return g.insecure || (g.loopback && !g.keys.tokensConfigured())
}

// Verdict is a gate's decision on a request.
type Verdict struct {
	// Admitted: let it in.
	Admitted bool
	// Proof says whether the request carried Label Studio's credential; a request may be
	// admitted without one.
	Proof Proof
	// Trusted: its content may be trusted. A call that is admitted only while
	// registrations are upgraded is not.
	Trusted bool
}

// Check judges a request for a route that asks for a role. webhook says that the
// route is the one whose credential may be a header.
func (g *Gate) Check(r *http.Request, role Role, webhook bool) Verdict {
	v := Verdict{Proof: g.keys.proofOf(r, webhook)}
	token := g.keys.roleOf(r)
	switch role {
	case Public:
		v.Admitted = true
		v.Trusted = v.Proof != Unproven
		return v
	case LabelStudio:
		v.Admitted = v.Proof != Unproven || token == Admin || g.insecure || (g.loopback && !g.keys.Configured() && g.fromHere(r))
		v.Trusted = v.Admitted
		v.Admitted = v.Admitted || g.window()
		return v
	case View, Admin:
		v.Admitted = token >= role || g.insecure || (g.OpenToPeople() && g.fromHere(r))
	}
	v.Trusted = v.Admitted
	return v
}

// Admits reports whether a request for hone's page is let in with a role, View or Admin: by a
// token, by a session, or because nothing is asked for.
func (g *Gate) Admits(r *http.Request, role Role) bool {
	return g.Check(r, role, false).Admitted || g.admitsToPage(r, role)
}

// tokensConfigured reports whether the operator wants a token on a loopback
// address too. BASIC_AUTH_USER has guarded /api since before there were tokens.
func (k *Keys) tokensConfigured() bool {
	return k.adminConfigured || k.o.ViewToken != "" || k.o.Basic.User != ""
}

// forwardingHeaders are headers that proxies add. A request that has one comes from
// somewhere else than the address it arrives from.
var forwardingHeaders = []string{
	"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip",
	"X-Original-Host", "X-Original-Url", "X-Rewrite-Url", "X-Envoy-External-Address", "Client-Ip",
}

// fromHere reports whether a request to a loopback address is one of this
// machine's user: not passed on by a proxy, not sent by a browser for another
// site's page, and not under a name that such a page has pointed here (DNS
// rebinding).
func (g *Gate) fromHere(r *http.Request) bool {
	if isForwarded(r) || !g.ownHost(r.Host) {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return false
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	u, err := url.Parse(origins[0])
	return len(origins) == 1 && err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// FromLoopback reports whether a request came from this machine, through no proxy
// that says so.
func FromLoopback(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback() && !isForwarded(r)
}

// isForwarded reports whether a proxy says that it passed a request on.
func isForwarded(r *http.Request) bool {
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Forwarded") || slices.Contains(forwardingHeaders, name) {
			return true
		}
	}
	return false
}

// ownHost reports whether a Host header names this machine.
func (g *Gate) ownHost(host string) bool {
	name := hostName(host)
	return IsLoopbackName(name) || slices.Contains(g.hosts, name)
}

// IsLoopbackName reports whether a host, a name in lower case or an address, is this
// machine, whoever reads it.
func IsLoopbackName(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// hostName is the name or address of a Host header, in lower case, without port,
// brackets and the dot that ends a full name.
func hostName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
