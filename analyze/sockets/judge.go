package sockets

import (
	"net/netip"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Options pick sockets. The zero value picks those that are ending or stuck.
type Options struct {
	All    bool             // those in order, too
	States []event.TCPState // only these, in order or not; nil means any
	PIDs   []int            // only what one of these holds, and its other end
	Port   uint16           // only with this port at either end; 0 means any
	Tool   string
}

// List says what is the matter with which socket.
func List(e *Evidence, opt Options) *Listing {
	l := &Listing{
		Schema: analyze.Schema, Tool: opt.Tool, Time: e.Time, States: map[string]int{},
		Settings: e.Settings, Counters: e.Counters, Ports: e.Ports,
	}
	j := &judge{evidence: e, opt: opt, listens: map[uint16]bool{}}
	for i := range e.Sockets {
		s := &e.Sockets[i]
		l.States[s.State.String()]++
		if s.State == event.Listen {
			j.listens[s.Local.Port()] = true
		}
	}
	var rows []Socket
	for i := range e.Sockets {
		if s := &e.Sockets[i]; s.State != event.TimeWait && j.ofPort(s) {
			rows = append(rows, j.row(s))
		}
	}
	rows = append(rows, j.timeWaits()...)
	l.Sockets = j.arrange(rows)
	for i := range l.Sockets {
		switch hidden := l.Sockets[i].Hidden; {
		case hidden && e.Refused > 0:
			l.Unseen.NotAllowed++
		case hidden:
			l.Unseen.NotFound++
		}
	}
	return l
}

type judge struct {
	evidence *Evidence
	opt      Options
	listens  map[uint16]bool // ports
}

func (j *judge) ofPort(s *event.Socket) bool {
	return j.opt.Port == 0 || s.Local.Port() == j.opt.Port || s.Remote.Port() == j.opt.Port
}

// row judges one socket that is not in TIME_WAIT.
func (j *judge) row(s *event.Socket) Socket {
	r := Socket{
		Trouble: NoTrouble, State: s.State, Local: s.Local, Remote: s.Remote, Count: 1,
		Holders: s.Holders, Hidden: s.Inode != 0 && len(s.Holders) == 0, Orphan: s.Orphan, UID: s.UID,
		Unread: s.RecvQ, EndRead: s.EndRead, Unacked: s.SendQ,
		Timer: s.Timer, LeftNS: s.Left, Resent: s.Retransmits, Waiting: s.Waiting, Backlog: s.Backlog,
		Ends: []End{},
	}
	if r.Holders == nil {
		r.Holders = []event.SocketHolder{}
	}
	if s.Info != nil {
		r.Unsent = s.Info.Unsent
	}
	switch s.State {
	case event.Listen:
		r.Remote = netip.AddrPort{}
		if s.Waiting > s.Backlog {
			r.is(AcceptQueueFull, "accept-queue", End{By: ByAccept})
		}
	case event.CloseWait:
		r.Age = ageSince(s, func(i *event.TCPInfo) int64 { return i.LastReceived })
		// A socket that nobody holds in CLOSE_WAIT was not accepted: close would have moved it on.
		if s.Orphan {
			r.is(NotAccepted, "close-wait", End{By: ByAccept})
		} else {
			r.is(NotClosed, "close-wait", End{By: ByClose})
		}
	case event.FinWait2:
		j.finWait2(s, &r)
	case event.FinWait1, event.LastAck, event.Closing:
		r.is(Closing, "fin-ordering", End{By: ByPeer}, j.givesUp(s))
		if s.State == event.Closing {
			r.Explains = "simultaneous-close"
		}
	case event.SynSent:
		if s.Retransmits > 0 {
			r.is(NotAcknowledged, "", End{By: ByPeer}, j.givesUp(s))
		}
	}
	j.stuck(s, &r)
	return r
}

func (r *Socket) is(t Trouble, topic string, ends ...End) {
	r.Trouble, r.Explains, r.Ends = t, topic, ends
}

func (j *judge) finWait2(s *event.Socket, r *Socket) {
	if !s.Orphan {
		r.Age = ageSince(s, func(i *event.TCPInfo) int64 { return i.LastSent })
		r.is(PeerNotClosed, "fin-wait2", End{By: ByPeer})
		return
	}
	left := s.Left
	// With more than TCP_TIMEWAIT_LEN to wait, the socket waits out the excess as it is first
	// (net/ipv4/tcp.c: __tcp_close()).
	if s.Timer == "keepalive" {
		left += int64(analyze.LinuxTimeWait)
	}
	r.is(OrphanWaits, "fin-wait2", End{By: ByPeer}, End{By: ByTimer, Setting: "tcp_fin_timeout", LeftNS: left})
}

// stuck sees to what a connection in any state can have: a peer that answers nothing, or one that
// takes nothing.
func (j *judge) stuck(s *event.Socket, r *Socket) {
	switch s.State {
	case event.Established, event.CloseWait, event.FinWait1, event.LastAck, event.Closing:
	default:
		return
	}
	open := s.State == event.Established || s.State == event.CloseWait
	switch {
	case s.Timer == "probe" && s.SendQ > 0 && hasRoom(s) && (r.Trouble == NoTrouble || !open):
		_, setting, _ := j.limit(s)
		r.is(HeldBack, "lost-bytes", End{By: ByRetries, Setting: setting}) // when is not known: each try fails at once
	case s.Timer == "probe" && s.SendQ > 0 && (r.Trouble == NoTrouble || !open):
		r.is(WindowClosed, "lost-bytes", End{By: ByPeer}, j.givesUp(s))
	case s.Timer == "retransmit" && s.Retransmits >= stuckRetries(open) && (r.Trouble == NoTrouble || !open):
		topic := "lost-bytes"
		if !open {
			topic = "fin-ordering"
		}
		r.is(NotAcknowledged, topic, End{By: ByPeer}, j.givesUp(s))
	default:
		return
	}
	if s.Info != nil {
		r.QuietNS = min(s.Info.LastACK, s.Info.LastReceived)
	}
}

// hasRoom reports whether the peer of s takes a segment of what waits: then it is this host that lets none out.
func hasRoom(s *event.Socket) bool {
	return s.Info != nil && s.Info.Window > 0 && s.Info.Window >= min(s.SendQ, s.Info.MSS)
}

// stuckRetries is how often a segment must have been sent again for the peer to count as silent:
// in an open connection one loss is nothing unusual.
func stuckRetries(open bool) int {
	if open {
		return 2
	}
	return 1
}

// ageSince bounds how long the peer's segment that began the state is ago. That segment
// acknowledged something, so the last one that did is no older; before it came or went payload,
// which most tells of.
func ageSince(s *event.Socket, most func(*event.TCPInfo) int64) *Age {
	if s.Info == nil {
		return nil
	}
	a := &Age{LeastNS: s.Info.LastACK, MostNS: most(s.Info)}
	a.LeastNS = min(a.LeastNS, a.MostNS)
	return a
}
