package sockets

import (
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
)

// timeWaits puts the sockets in TIME_WAIT together: at the connecting end by where they went,
// because each takes a port of the ephemeral range towards there; at the accepting end by where
// they came in, because they take none.
func (j *judge) timeWaits() (rows []Socket) {
	at := map[[2]netip.AddrPort]int{}
	for i := range j.evidence.Sockets {
		s := &j.evidence.Sockets[i]
		if s.State != event.TimeWait || !j.ofPort(s) {
			continue
		}
		key := [2]netip.AddrPort{s.Local}
		if j.connected(s) {
			key = [2]netip.AddrPort{anyPort(s.Local), s.Remote}
		}
		n, known := at[key]
		if !known {
			n = len(rows)
			at[key] = n
			rows = append(rows, Socket{State: event.TimeWait, Local: s.Local, Remote: s.Remote, Orphan: true, Holders: []event.SocketHolder{}, Timer: s.Timer})
			rows[n].is(InTimeWait, "time-wait", End{By: ByTimer, Setting: "TCP_TIMEWAIT_LEN"})
		} else {
			rows[n].Local, rows[n].Remote = key[0], key[1]
		}
		r := &rows[n]
		r.Count++
		r.LeftNS = max(r.LeftNS, s.Left)
		r.Ends[0].LeftNS = r.LeftNS
	}
	j.countPorts(rows, at)
	return rows
}

// connected reports whether s began the connection, as far as its ports tell.
func (j *judge) connected(s *event.Socket) bool {
	ports := j.evidence.Ports
	return !j.listens[s.Local.Port()] && (ports.holds(s.Local.Port()) || !ports.holds(s.Remote.Port()))
}

// countPorts counts the ephemeral ports towards the groups of the connecting end.
func (j *judge) countPorts(rows []Socket, at map[[2]netip.AddrPort]int) {
	for i := range j.evidence.Sockets {
		s := &j.evidence.Sockets[i]
		if s.State == event.Listen || !j.evidence.Ports.holds(s.Local.Port()) {
			continue
		}
		if n, ok := at[[2]netip.AddrPort{anyPort(s.Local), s.Remote}]; ok {
			rows[n].PortsUsed++
		}
	}
}

func anyPort(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), 0) }
