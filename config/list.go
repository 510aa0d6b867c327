package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// List is several values in one text, separated by commas.
type List string

// ParseList reads a list; empty parts are left out.
func ParseList(text string) List {
	return List(strings.Join(List(text).Values(), ", "))
}

// Values are the parts, nil when there is none.
func (l List) Values() []string {
	var out []string
	for part := range strings.SplitSeq(string(l), ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// Prefixes reads the values as addresses and networks.
func (l List) Prefixes() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, v := range l.Values() {
		p, err := netip.ParsePrefix(v)
		if err != nil {
			ip, err := netip.ParseAddr(v)
			if err != nil {
				return nil, fmt.Errorf("%q is neither an address nor a network", v)
			}
			p = netip.PrefixFrom(ip, ip.BitLen())
		}
		out = append(out, p)
	}
	return out, nil
}
