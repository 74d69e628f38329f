package endings

import (
	"cmp"
	"fmt"

	"github.com/closecap/closecap/analyze/event"
)

// heardICMP says which ICMP error had come for e without ending it: a call on the socket keeps it from that
// (tcp_v4_err), and the program may have asked for it, or waited for longer.
func (v *verdict) heardICMP(e *event.Endpoint) {
	errno := e.SoftErrno
	if e.ICMP != nil {
		errno = cmp.Or(errno, e.ICMP.Errno)
	}
	if errno != "" {
		v.because("%s, as of a firewall or a router, had come for it: %s", icmpName(e), errno)
	}
}

// icmpName names the ICMP error that came for e, by what its sender says.
func icmpName(e *event.Endpoint) string {
	if e.ICMP == nil {
		return "an ICMP error"
	}
	i := e.ICMP
	means := icmpMeanings[icmpKind{e.Remote.Addr().Is6(), i.Type, i.Code}]
	if means == "" {
		return fmt.Sprintf("an ICMP error (type %d, code %d)", i.Type, i.Code)
	}
	return fmt.Sprintf("an ICMP error (%s)", means)
}

type icmpKind struct {
	v6         bool
	kind, code uint8
}

// icmpMeanings are those of the errors that firewalls and routers send (RFC 792, RFC 1812 5.2.7.1, RFC 4443 3.1).
var icmpMeanings = map[icmpKind]string{
	{false, 3, 0}:  "network unreachable",
	{false, 3, 1}:  "host unreachable",
	{false, 3, 2}:  "protocol unreachable",
	{false, 3, 3}:  "port unreachable",
	{false, 3, 9}:  "network administratively prohibited",
	{false, 3, 10}: "host administratively prohibited",
	{false, 3, 13}: "administratively prohibited",
	{false, 11, 0}: "time to live exceeded",
	{true, 1, 0}:   "no route to destination",
	{true, 1, 1}:   "administratively prohibited",
	{true, 1, 3}:   "address unreachable",
	{true, 1, 4}:   "port unreachable",
	{true, 1, 6}:   "route rejected",
	{true, 3, 0}:   "hop limit exceeded",
}
