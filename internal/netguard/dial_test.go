package netguard

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is refused whatever the policy, by a word of its reason.
var never = map[string]string{
	"169.254.0.1": "link-local", "169.254.255.255": "link-local", "fe80::1": "link-local", "febf:ffff::1": "link-local",
	"fe80::1%eth0":    "link-local",
	"169.254.169.254": "metadata", "100.100.100.200": "metadata", "168.63.129.16": "metadata", "192.0.0.192": "metadata",
	"fd00:ec2::254": "metadata", "fd20:ce::254": "metadata", "fd00:42::42": "metadata", "fd00:ec2::254%eth0": "metadata",
	"0.0.0.0": "no host", "0.0.0.1": "no host", "0.255.255.255": "no host", "::": "no host", "::%lo": "no host",
	"224.0.0.1": "multicast", "239.255.255.255": "multicast", "ff02::1": "multicast", "ffff::1": "multicast",
	"255.255.255.255": "broadcast",

	// IPv4 in other clothes.
	"::ffff:169.254.169.254":        "metadata",
	"::ffff:0.0.0.0":                "no host",
	"::ffff:169.254.1.1%eth0":       "link-local",
	"::ffff:255.255.255.255":        "broadcast",
	"::169.254.169.254":             "leads to 169.254.169.254",
	"::2":                           "no host",
	"::ffff:0:169.254.169.254":      "metadata",
	"64:ff9b::169.254.169.254":      "leads to 169.254.169.254",
	"64:ff9b::":                     "no host",
	"64:ff9b::224.0.0.1":            "multicast",
	"64:ff9b:1::169.254.169.254":    "metadata",
	"64:ff9b:1:a9fe:a9:fe00::":      "metadata", // behind a /48
	"64:ff9b:1:12a9:fe:a9fe::":      "metadata", // behind a /56
	"64:ff9b:1:1234:a9:fea9:fe00:0": "metadata", // behind a /64
	"64:ff9b:1::":                   "no host",
	"2002:a9fe:a9fe::1":             "metadata",
	"2002:e000:1::":                 "multicast",
	"2001:0:a9fe:a9fe::":            "metadata", // a Teredo server
	"2001:0:808:808::5601:5601":     "metadata", // a Teredo client, turned
	"2606:4700::5efe:a9fe:a9fe":     "metadata",
	"2606:4700::200:5efe:a9fe:101":  "link-local",
}

// What is this machine, and only allowed as such.
var loopback = []string{
	"127.0.0.1", "127.1.2.3", "127.255.255.255", "::1", "::1%lo", "::ffff:127.0.0.1", "::ffff:127.0.0.1%lo", "::127.0.0.1",
	"::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b:1::127.0.0.1", "2002:7f00:1::", "2606:4700::5efe:7f00:1",
}

// What is always allowed.
var open = []string{
	"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fd12:3456::1", "fd00:ec2::253",
	"1.0.0.0", "8.8.8.8", "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.1", "100.100.100.201", "168.63.129.17",
	"192.0.0.193", "223.255.255.255", "255.255.255.254", "2606:4700::1", "fe00::1", "fec0::1", "::ffff:10.0.0.1", "64:ff9b::8.8.8.8",
	"64:ff9b:1::8.8.8.8", "64:ff9b:1:808:8:800::", "2002:808:808::1", "::8.8.8.8", "2001:db8::a9fe:a9fe", "2001:db8::1:5efe:a9fe:a9fe",
}

func parse(t testing.TB, s string) netip.AddrPort {
	t.Helper()
	a, err := netip.ParseAddr(s)
	require.NoError(t, err)
	return netip.AddrPortFrom(a, 8080)
}

func TestCheckKnowsEveryRange(t *testing.T) {
	policies := []Policy{{}, {AllowLoopback: true}, {AllowLoopback: true, LoopbackPort: 8080}, {AllowLoopback: true, LoopbackPort: 80}}
	for _, p := range policies {
		for s, why := range never {
			err := p.Check(parse(t, s))
			require.True(t, IsBlocked(err), "%s with %+v", s, p)
			require.ErrorContains(t, err, why, s)
		}
		for _, s := range open {
			require.NoError(t, p.Check(parse(t, s)), "%+v", p)
		}
		for _, s := range loopback {
			err := p.Check(parse(t, s))
			if p.AllowLoopback && p.LoopbackPort != 80 {
				require.NoError(t, err, "%+v", p)
				continue
			}
			require.True(t, IsBlocked(err), "%s with %+v", s, p)
			require.ErrorContains(t, err, "loopback", s)
		}
	}
	require.True(t, IsBlocked(Policy{AllowLoopback: true}.Check(netip.AddrPort{})))
}

func TestRefusalNamesAddressReasonAndFix(t *testing.T) {
	err := Policy{}.Check(netip.MustParseAddrPort("[2002:7f00:1::]:80"))
	require.EqualError(t, err, "connecting to [2002:7f00:1::]:80 is refused: it leads to 127.0.0.1, which is this machine itself "+
		"(loopback); name a host with a public or private address")
	require.False(t, IsBlocked(errors.New("connection refused")))
	require.False(t, IsBlocked(nil))
}

func TestControlTakesOnlyAddressesOfTCPAndUDP(t *testing.T) {
	p := Policy{AllowLoopback: true}
	require.NoError(t, p.Control("tcp4", "10.0.0.1:80", nil))
	require.NoError(t, p.Control("udp6", "[fd12::1%eth0]:53", nil))
	for _, c := range []string{"unix /run/docker.sock", "unix 10.0.0.1:80", "ip4:icmp 10.0.0.1", "tcp localhost:80", "tcp 10.0.0.1", "tcp "} {
		network, address, _ := strings.Cut(c, " ")
		require.True(t, IsBlocked(p.Control(network, address, nil)), c)
	}
}

// get returns the error of one request through the policy, on fresh connections.
func get(t *testing.T, p Policy, base *http.Transport, address string) error {
	t.Helper()
	tr := p.Transport(base)
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err == nil {
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	}
	return err
}

func port(t *testing.T, s *httptest.Server) int {
	t.Helper()
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	n, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	return n
}

func TestTransportReachesLoopbackOnlyIfAllowed(t *testing.T) {
	var hits atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer s.Close()
	named := strings.Replace(s.URL, "127.0.0.1", "localhost", 1) // a name is judged by what it resolves to
	for _, address := range []string{s.URL, named} {
		require.True(t, IsBlocked(get(t, Policy{}, nil, address)), address)
		require.True(t, IsBlocked(get(t, Policy{AllowLoopback: true, LoopbackPort: 1}, nil, address)), address)
	}
	require.Zero(t, hits.Load())
	require.NoError(t, get(t, Policy{AllowLoopback: true}, nil, s.URL))
	require.NoError(t, get(t, Policy{AllowLoopback: true, LoopbackPort: port(t, s)}, nil, named))
	require.EqualValues(t, 2, hits.Load())
}

func TestRedirectToForbiddenAddressIsRefused(t *testing.T) {
	var hits atomic.Int32
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer inner.Close()
	for _, target := range []string{inner.URL, "http://169.254.169.254/latest/meta-data", "http://[::ffff:169.254.169.254]/", "http://0.0.0.0:1/"} {
		outer := httptest.NewServer(http.RedirectHandler(target, http.StatusFound))
		err := get(t, Policy{AllowLoopback: true, LoopbackPort: port(t, outer)}, nil, outer.URL)
		require.True(t, IsBlocked(err), "%s: %v", target, err)
		outer.Close()
	}
	require.Zero(t, hits.Load())
}

// Nothing that base brings may connect past the policy.
func TestTransportIgnoresProxyAndDialersOfBase(t *testing.T) {
	var hits atomic.Int32
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer s.Close()
	proxy, err := url.Parse(s.URL)
	require.NoError(t, err)
	plain := func(network, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(t.Context(), network, address)
	}
	secure := func(network, address string) (net.Conn, error) {
		return (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), network, address)
	}
	trusting := func() *http.Transport { return s.Client().Transport.(*http.Transport).Clone() }
	bases := map[string]*http.Transport{"proxy": trusting(), "dial": trusting(), "old dial": trusting(), "TLS": trusting(), "old TLS": trusting()}
	bases["proxy"].Proxy = http.ProxyURL(proxy)
	bases["dial"].DialContext = func(_ context.Context, n, a string) (net.Conn, error) { return plain(n, a) }
	bases["old dial"].Dial = plain //nolint:staticcheck // deprecated, yet it dials
	bases["TLS"].DialTLSContext = func(_ context.Context, n, a string) (net.Conn, error) { return secure(n, a) }
	bases["old TLS"].DialTLS = secure //nolint:staticcheck // deprecated, yet it dials
	for name, base := range bases {
		require.True(t, IsBlocked(get(t, Policy{}, base, s.URL)), name)
		require.NoError(t, get(t, Policy{AllowLoopback: true}, base, s.URL), name)
	}
	require.EqualValues(t, len(bases), hits.Load(), "base's settings, such as its trusted certificates, are kept")
	require.NotNil(t, bases["proxy"].Proxy, "base itself is left alone")
}

// FuzzPolicy holds the judgement against what net/netip says of an address, and
// each way to hide an IPv4 against the IPv4.
func FuzzPolicy(f *testing.F) {
	for s := range never {
		f.Add(parse(f, s).Addr().AsSlice(), uint16(80), false, uint16(0))
	}
	for i, s := range append(loopback, open...) {
		f.Add(parse(f, s).Addr().AsSlice(), uint16(i), true, uint16(i%2))
	}
	f.Fuzz(func(t *testing.T, b []byte, port uint16, allow bool, only uint16) {
		p := Policy{AllowLoopback: allow, LoopbackPort: int(only)}
		a, ok := netip.AddrFromSlice(b)
		err := p.Check(netip.AddrPortFrom(a, port))
		if IsBlocked(err) != (err != nil) {
			t.Fatalf("%s: %v is not typed", a, err)
		}
		if err == nil {
			u := a.Unmap()
			if !ok || u.IsUnspecified() || u.IsMulticast() || u.IsLinkLocalUnicast() {
				t.Fatalf("%s is allowed", a)
			}
			if u.IsLoopback() && (!allow || only != 0 && only != port) {
				t.Fatalf("%s, port %d is allowed by %+v", a, port, p)
			}
		}
		if !a.Is4() {
			return
		}
		v4 := a.As4()
		for _, front := range []string{"::ffff:0.0.0.0", "::ffff:0:0.0.0.0", "::", "64:ff9b::", "64:ff9b:1::", "2606::5efe:0:0", "2002::"} {
			if front == "::" && v4[0] == 0 {
				continue // ::1 is loopback, not 0.0.0.1
			}
			w := netip.MustParseAddr(front).As16()
			at := 12
			if front == "2002::" {
				at = 2
			}
			copy(w[at:], v4[:])
			hidden := netip.AddrFrom16(w)
			if got := p.Check(netip.AddrPortFrom(hidden, port)); (got == nil) != (err == nil) {
				t.Fatalf("%s: %v, but %s: %v", a, err, hidden, got)
			}
		}
	})
}
