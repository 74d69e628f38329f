package endings

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestICMP: what its kernel kept of an ICMP error says why a connect came to nothing, also where the program has
// asked for the error, and so cleared it.
func TestICMP(t *testing.T) {
	by := &event.Task{PID: 7, Comm: "curl", Call: "close", FD: 3, Owner: true}
	for _, tt := range []struct {
		remote      string
		errno, soft string
		icmp        *event.ICMPError
		closed      bool // by its program
		why         string
	}{
		{"10.0.0.2:80", "", "", &event.ICMPError{Type: 3, Code: 13, Errno: "EHOSTUNREACH"}, true,
			"an ICMP error (administratively prohibited), as of a firewall or a router, had come for it: EHOSTUNREACH"},
		{"10.0.0.2:80", "", "EHOSTUNREACH", nil, true,
			"an ICMP error, as of a firewall or a router, had come for it: EHOSTUNREACH"},
		{"[2001:db8::1]:80", "EACCES", "", &event.ICMPError{Type: 1, Code: 1, Errno: "EACCES"}, false,
			"no TCP segment answered the client's SYN: an ICMP error (administratively prohibited), as of a firewall or a router, led to EACCES"},
		{"10.0.0.2:80", "EHOSTUNREACH", "", &event.ICMPError{Type: 3, Code: 40, Errno: "EHOSTUNREACH"}, false,
			"no TCP segment answered the client's SYN: an ICMP error (type 3, code 40), as of a firewall or a router, led to EHOSTUNREACH"},
		{"10.0.0.2:80", "ETIMEDOUT", "", &event.ICMPError{Type: 11, Code: 0, Errno: "EHOSTUNREACH"}, false,
			"an ICMP error (time to live exceeded), as of a firewall or a router, had come for it: EHOSTUNREACH"},
	} {
		e := lone(event.SynSent, event.Closed)
		e.Remote, e.Errno, e.SoftErrno, e.ICMP = netip.MustParseAddrPort(tt.remote), tt.errno, tt.soft, tt.icmp
		if tt.closed {
			e.End = by
		}
		tr := NewTracker(Options{})
		tr.Add(event.KernelEvent{Endpoint: e})
		c := only(t, tr.Rest(e.Stop()))
		if c.Ending != analyze.Unanswered || !slices.Contains(c.Why, tt.why) {
			t.Errorf("%s because %q, want %q", c.Ending, c.Why, tt.why)
		}
	}
}
