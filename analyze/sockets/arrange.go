package sockets

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// worst is the order of the troubles.
var worst = []Trouble{
	AcceptQueueFull, NotClosed, NotAccepted, NotAcknowledged, WindowClosed, HeldBack, PeerNotClosed, Closing,
	OrphanWaits, InTimeWait, NoTrouble,
}

// nearlyUsed is the share of the ephemeral ports, in percent, from which TIME_WAITs are as bad as
// what is stuck.
const nearlyUsed = 80

func (j *judge) rank(r *Socket) int {
	if n := j.evidence.Ports.Size(); n > 0 && 100*r.PortsUsed >= nearlyUsed*n {
		return 1
	}
	return slices.Index(worst, r.Trouble)
}

// unit is what stays together: a socket with its other end, the worse of both first.
type unit struct {
	rows []Socket
	rank int
}

// arrange puts both ends of a connection together and the worst first, and leaves out what was not
// asked for.
func (j *judge) arrange(rows []Socket) []Socket {
	at := make(map[[2]netip.AddrPort]int, len(rows))
	for i := range rows {
		if rows[i].State != event.Listen && rows[i].Trouble != InTimeWait {
			at[[2]netip.AddrPort{rows[i].Local, rows[i].Remote}] = i
		}
	}
	var units []unit
	taken := make([]bool, len(rows))
	for i := range rows {
		if taken[i] {
			continue
		}
		u := unit{rows: []Socket{rows[i]}, rank: j.rank(&rows[i])}
		other, found := at[[2]netip.AddrPort{rows[i].Remote, rows[i].Local}]
		if found && other != i && rows[i].Trouble != InTimeWait && !taken[other] {
			taken[other] = true
			u.rows = append(u.rows, rows[other])
			rank := j.rank(&rows[other])
			if rank < u.rank || rank == u.rank && rows[other].Local.Compare(rows[i].Local) < 0 {
				slices.Reverse(u.rows)
			}
			u.rank = min(u.rank, rank)
		}
		if j.picks(&u) {
			units = append(units, u)
		}
	}
	slices.SortFunc(units, func(a, b unit) int {
		x, y := &a.rows[0], &b.rows[0]
		return cmp.Or(cmp.Compare(a.rank, b.rank), -cmp.Compare(x.least(), y.least()), -cmp.Compare(x.Count, y.Count),
			-cmp.Compare(x.Unread+x.Unacked, y.Unread+y.Unacked), x.Local.Compare(y.Local), x.Remote.Compare(y.Remote))
	})
	return numbered(units)
}

func (r *Socket) least() int64 {
	if r.Age == nil {
		return r.QuietNS
	}
	return r.Age.LeastNS
}

// numbered lays the units out and tells each row its own number and the other end's.
func numbered(units []unit) []Socket {
	all := []Socket{}
	for _, u := range units {
		for i, r := range u.rows {
			r.ID = len(all) + 1
			if len(u.rows) == 2 {
				r.OtherEnd = r.ID + 1 - 2*i
			}
			all = append(all, r)
		}
	}
	return all
}

// picks reports whether a row of u was asked for.
func (j *judge) picks(u *unit) bool {
	return slices.ContainsFunc(u.rows, func(r Socket) bool {
		asked := j.opt.All || r.Trouble != NoTrouble
		if j.opt.States != nil {
			asked = slices.Contains(j.opt.States, r.State)
		}
		return asked && (len(j.opt.PIDs) == 0 || slices.ContainsFunc(r.Holders, func(h event.SocketHolder) bool {
			return slices.Contains(j.opt.PIDs, h.PID)
		}))
	})
}
