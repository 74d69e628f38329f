package event

import "net/netip"

// Pair is a connection's two ends, the same whichever way a segment goes.
type Pair struct{ A, B netip.AddrPort }

// PairOf orders two ends.
func PairOf(a, b netip.AddrPort) Pair {
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	return Pair{a, b}
}

// Everywhere returns how an endpoint may be named: by itself, or by its port at every address.
func Everywhere(a netip.AddrPort) [3]netip.AddrPort {
	return [3]netip.AddrPort{a,
		netip.AddrPortFrom(netip.IPv4Unspecified(), a.Port()),
		netip.AddrPortFrom(netip.IPv6Unspecified(), a.Port())}
}
