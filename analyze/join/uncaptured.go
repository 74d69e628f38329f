package join

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// namesUncaptured is how many connections a warning names.
const namesUncaptured = 3

// uncaptured warns of connections that calls name and of which no packet was captured: the capture
// began too late, was cut off before it was written, or looked elsewhere.
func (l *linker) uncaptured() {
	seen := map[[2]netip.AddrPort]bool{}
	var names []string
	n := 0
	var first, last *analyze.Call
	for _, c := range l.res.Calls {
		if !isUncaptured(c) {
			continue
		}
		if first == nil {
			first = c
		}
		last = c
		if seen[[2]netip.AddrPort{c.Local, c.Remote}] {
			continue
		}
		seen[[2]netip.AddrPort{c.Local, c.Remote}], seen[[2]netip.AddrPort{c.Remote, c.Local}] = true, true
		if n++; n <= namesUncaptured {
			names = append(names, fmt.Sprintf("%s and %s", c.Local, c.Remote))
		}
	}
	if first == nil {
		return
	}
	if n > namesUncaptured {
		names = append(names, "…")
	}
	when := "the capture is empty"
	if at := l.res.Capture; at.First != 0 {
		when = fmt.Sprintf("the capture runs from %s to %s", at.First, at.Last)
	}
	l.res.Warnings = append(l.res.Warnings, fmt.Sprintf("no packet was captured of %s that the calls from %s to %s name (%s): %s",
		analyze.Count(uint64(n), "connection"), first.Start, max(last.Start, last.End), strings.Join(names, "; "), when))
}

// isUncaptured reports whether the call was made on a connected socket whose connection has no packet.
func isUncaptured(c *analyze.Call) bool {
	return c.Connection == 0 && c.Errno == "" && c.Local.IsValid() && c.Local.Port() != 0 && c.Remote.IsValid() && c.Remote.Port() != 0
}
