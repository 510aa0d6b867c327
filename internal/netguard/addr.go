package netguard

import "net/netip"

var (
	thisNet   = netip.MustParsePrefix("0.0.0.0/8")
	broadcast = netip.MustParseAddr("255.255.255.255")

	// Where clouds hand out credentials to whoever asks from inside. Most are
	// link-local; these are refused by name because not all are.
	metadata = map[netip.Addr]bool{
		netip.MustParseAddr("169.254.169.254"): true, // nearly all of them
		netip.MustParseAddr("100.100.100.200"): true, // Alibaba
		netip.MustParseAddr("168.63.129.16"):   true, // Azure
		netip.MustParseAddr("192.0.0.192"):     true, // Oracle
		netip.MustParseAddr("fd00:ec2::254"):   true, // AWS
		netip.MustParseAddr("fd20:ce::254"):    true, // Google
		netip.MustParseAddr("fd00:42::42"):     true, // Scaleway
	}

	compatible = netip.MustParsePrefix("::/96")           // RFC 4291, 2.5.5.1
	translated = netip.MustParsePrefix("::ffff:0:0:0/96") // RFC 2765
	nat64      = netip.MustParsePrefix("64:ff9b::/96")    // RFC 6052
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48")  // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")       // RFC 3056
	teredo     = netip.MustParsePrefix("2001::/32")       // RFC 4380
)

// readings returns the address and every IPv4 address that a gateway or the
// kernel may read out of it. A packet for one of them can end at that IPv4.
func readings(a netip.Addr) []netip.Addr {
	a = a.WithZone("").Unmap()
	all := []netip.Addr{a}
	if !a.Is6() {
		return all
	}
	b := a.As16()
	v4 := func(i, j, k, l int) netip.Addr { return netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]}) }
	last := v4(12, 13, 14, 15)
	switch {
	case compatible.Contains(a):
		if !a.IsUnspecified() && !a.IsLoopback() { // :: and ::1 are no IPv4
			all = append(all, last)
		}
	case translated.Contains(a), nat64.Contains(a):
		all = append(all, last)
	case nat64Local.Contains(a):
		all = append(all, local64(v4)...)
	case sixToFour.Contains(a):
		all = append(all, v4(2, 3, 4, 5))
	case teredo.Contains(a): // the server, and the client with every bit turned
		c := last.As4()
		all = append(all, v4(4, 5, 6, 7), netip.AddrFrom4([4]byte{^c[0], ^c[1], ^c[2], ^c[3]}))
	}
	// ISATAP (RFC 5214) goes with any prefix.
	if b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe {
		all = append(all, last)
	}
	return all
}

// local64 reads the IPv4 wherever it may stand: each network chooses the length
// of its own NAT64 prefix (RFC 6052, 2.2), which nobody here knows. So a few
// harmless addresses are refused for what a longer prefix would make of them.
// Reading 0.x.x.x means that the prefix is another one.
func local64(v4 func(i, j, k, l int) netip.Addr) []netip.Addr {
	var all []netip.Addr
	for _, r := range []netip.Addr{v4(6, 7, 9, 10), v4(7, 9, 10, 11), v4(9, 10, 11, 12), v4(12, 13, 14, 15)} {
		if !thisNet.Contains(r) {
			all = append(all, r)
		}
	}
	if all == nil {
		all = append(all, netip.IPv4Unspecified())
	}
	return all
}
