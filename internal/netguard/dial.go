package netguard

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// Policy says which addresses a connection may go to when a request, and not
// the operator, named the host. The zero Policy allows public and private
// addresses; whatever it says, link-local addresses, those of cloud metadata,
// and what is no single host's address are refused. An address of this
// machine that is not loopback counts as private: a service that only the
// machine itself may reach listens on loopback.
type Policy struct {
	AllowLoopback bool // 127.0.0.0/8 and ::1
	LoopbackPort  int  // with AllowLoopback: the only port there; 0: any
}

// BlockedError is a connection that a Policy refused.
type BlockedError struct {
	Address string // the resolved one, as it would have been dialled
	Why     string // a clause about the address
}

// Error implements error.
func (e *BlockedError) Error() string {
	return fmt.Sprintf("connecting to %s is refused: it %s; name a host with a public or private address", e.Address, e.Why)
}

// IsBlocked tells whether err, however wrapped, is a Policy's refusal. Trying
// again is of no use then.
func IsBlocked(err error) bool {
	var blocked *BlockedError
	return errors.As(err, &blocked)
}

// Check returns a *BlockedError if no connection may go to ap. IPv4 inside of
// IPv6 is judged as the IPv4, a zone is not looked at.
func (p Policy) Check(ap netip.AddrPort) error {
	for i, a := range readings(ap.Addr()) {
		why := p.refuse(a, ap.Port())
		if why == "" {
			continue
		}
		if i > 0 {
			why = fmt.Sprintf("leads to %s, which %s", a, why)
		}
		return &BlockedError{Address: ap.String(), Why: why}
	}
	return nil
}

// refuse returns why nothing may connect to a, or "". It knows nothing of IPv4
// inside of IPv6.
func (p Policy) refuse(a netip.Addr, port uint16) string {
	switch {
	case !a.IsValid():
		return "is not an IP address"
	case metadata[a]:
		return "serves cloud metadata and credentials"
	case a.IsLinkLocalUnicast():
		return "is link-local"
	case a.IsUnspecified(), thisNet.Contains(a): // which the kernel takes for loopback
		return "is no host's address"
	case a.IsMulticast():
		return "is a multicast address"
	case a == broadcast:
		return "is the broadcast address"
	case a.IsLoopback() && !p.AllowLoopback:
		return "is this machine itself (loopback)"
	case a.IsLoopback() && p.LoopbackPort != 0 && int(port) != p.LoopbackPort:
		return fmt.Sprintf("is this machine itself (loopback), where only port %d may be reached", p.LoopbackPort)
	}
	return ""
}

// Control is for net.Dialer.Control: it is called with each resolved address
// just before connecting, so no second answer of a name server comes between.
func (p Policy) Control(network, address string, _ syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") && !strings.HasPrefix(network, "udp") {
		return &BlockedError{Address: address, Why: fmt.Sprintf("is of network %q, not TCP or UDP", network)}
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return &BlockedError{Address: address, Why: "is not an IP address and a port"}
	}
	return p.Check(ap)
}

// Transport returns a copy of base (nil: http.DefaultTransport) that connects
// only where the policy allows, redirects included. It has no proxy, which
// would connect for us unchecked, and none of base's own ways to dial.
func (p Policy) Transport(base *http.Transport) *http.Transport {
	if base == nil {
		base, _ = http.DefaultTransport.(*http.Transport)
		if base == nil { // a program may put anything there
			base = &http.Transport{ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second}
		}
	}
	t := base.Clone()
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, Control: p.Control}
	t.Proxy = nil
	t.DialContext = dialer.DialContext
	t.DialTLSContext = nil
	t.Dial = nil    //nolint:staticcheck // deprecated, yet it dials
	t.DialTLS = nil //nolint:staticcheck // deprecated, yet it dials
	return t
}
