package join

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// noPorts says of each connect() that found no free local port who holds the ports towards its peer, as
// far as this recording shows, and warns of the first to each peer.
func (l *linker) noPorts() {
	first := map[netip.AddrPort]*analyze.Call{}
	var towards map[netip.AddrPort][]*analyze.Connection // by server; made when it is needed
	for _, c := range l.res.Calls {
		if c.Kind() != event.ConnectCall || c.Errno != "EADDRNOTAVAIL" {
			continue
		}
		to, err := netip.ParseAddrPort(c.Args)
		if err != nil {
			to = c.Remote
		}
		switch before := first[to]; {
		case !to.IsValid():
		case before != nil && before.Explain != "":
			c.Explain = fmt.Sprintf("as #%d", before.ID)
		case before == nil:
			first[to] = c
			if towards == nil {
				towards = l.connectionsByServer()
			}
			if c.Explain = portHolders(towards[to], to, c.Start); c.Explain != "" {
				l.res.Warnings = append(l.res.Warnings, fmt.Sprintf("%s connect() #%d: %s", c.Actor, c.ID, c.Explain))
			}
		}
	}
}

func (l *linker) connectionsByServer() map[netip.AddrPort][]*analyze.Connection {
	towards := map[netip.AddrPort][]*analyze.Connection{}
	for _, c := range l.res.Connections {
		towards[c.Server] = append(towards[c.Server], c)
	}
	return towards
}

// portHolders names which of the connections to an address hold local ports at a time; "" where none does.
func portHolders(connections []*analyze.Connection, to netip.AddrPort, at event.Time) string {
	waiting, open := uint64(0), uint64(0)
	for _, c := range connections {
		if c.Start > at {
			continue
		}
		var waits, holds bool
		for _, w := range c.TimeWait {
			waits = waits || w.Holder == analyze.Client && w.Since <= at && at < w.Until && w.EndedBy == ""
		}
		if n := len(c.States.Client); n > 0 {
			last := c.States.Client[n-1]
			holds = last.State != event.Closed && last.State != event.TimeWait || last.Time > at
		}
		switch {
		case waits:
			waiting++
		case holds:
			open++
		}
	}
	var who []string
	if waiting > 0 {
		who = append(who, fmt.Sprintf("%s in TIME_WAIT", analyze.Count(waiting, "connection")))
	}
	if open > 0 {
		who = append(who, fmt.Sprintf("%s not closed yet", analyze.Count(open, "connection")))
	}
	if len(who) == 0 {
		return ""
	}
	return fmt.Sprintf("no local port was free towards %s: held by %s, as far as recorded", to, strings.Join(who, " and "))
}
