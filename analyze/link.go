package analyze

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// linker joins calls with the segments of the connections they were made on.
type linker struct {
	res     *Result
	conns   []*linked
	byID    map[int]*linked
	calls   map[int]*Call
	frames  map[uint64]*Segment
	listens []*Call // calls on listening sockets
}

// linked is a connection with its calls in order of start.
type linked struct {
	*Connection
	calls []*Call
}

// link fills in everything about res that needs calls.
func link(res *Result, calls []event.Call) {
	l := &linker{
		res:    res,
		byID:   map[int]*linked{},
		calls:  map[int]*Call{},
		frames: map[uint64]*Segment{},
	}
	for _, c := range res.Connections {
		lc := &linked{Connection: c}
		l.conns = append(l.conns, lc)
		l.byID[c.ID] = lc
		for _, s := range c.Segments {
			l.frames[s.Frame] = s
		}
	}
	for i := range calls {
		c := &Call{Call: calls[i], Caused: []uint64{}, ReturnedBy: []uint64{}}
		res.Calls = append(res.Calls, c)
		l.calls[c.ID] = c
	}
	slices.SortStableFunc(res.Calls, func(a, b *Call) int { return cmp.Compare(a.Start, b.Start) })

	l.assign()
	for _, c := range l.conns {
		c.inferHolders()
	}
	l.ranges()
	l.roots()
	l.returns()
	l.explain()
	for _, c := range l.conns {
		l.states(c)
		l.reset(c)
		l.timeWait(c)
	}
}

// holderKey is a descriptor of one process: after close it may name nothing, but a call on
// it still speaks of the connection that it named last.
type holderKey struct{ pid, fd int }

// assign finds each call's connection and side: by its socket's addresses, else by the
// socket's identity, else by what the descriptor named before. A socket that has an address
// and never a connection listens.
func (l *linker) assign() {
	bySocket := map[uint64]*Call{}
	byFD := map[holderKey]*Call{}
	for _, c := range l.res.Calls {
		l.place(c)
		switch {
		case c.Connection != 0:
		case c.Socket != 0:
			adopt(c, bySocket[c.Socket])
		case !c.Local.IsValid():
			adopt(c, byFD[holderKey{c.PID, c.FD}])
		}
		if c.Connection == 0 {
			continue
		}
		fd := c.FD
		if c.Accepted > 0 {
			fd = c.Accepted
		}
		byFD[holderKey{c.PID, fd}] = c
		if c.Socket != 0 {
			bySocket[c.Socket] = c
		}
	}
	for _, c := range l.res.Calls {
		if c.Connection == 0 && c.Socket != 0 {
			adopt(c, bySocket[c.Socket]) // made before the socket was connected
		}
		if lc := l.byID[c.Connection]; lc != nil {
			lc.calls = append(lc.calls, c)
		} else if c.Local.IsValid() {
			l.listens = append(l.listens, c)
		}
	}
}

// inferHolders finds, where the recorder could not say who else holds a socket, a holder by
// what it did later: a call through another descriptor proves that it was open.
func (lc *linked) inferHolders() {
	for i, c := range lc.calls {
		if kindOf(c) != closeCall || c.Socket != 0 || c.Errno != "" || len(c.Holders) > 0 {
			continue
		}
		for _, k := range lc.calls[i+1:] {
			other := holderKey{k.PID, k.FD} != holderKey{c.PID, c.FD}
			if k.Side == c.Side && other && k.Errno != "EBADF" && k.Start >= c.End {
				c.Holders = []event.Holder{{PID: k.PID, FD: k.FD, Actor: k.Actor}}
				break
			}
		}
	}
}

func adopt(c, from *Call) {
	if from != nil {
		c.Connection, c.Side = from.Connection, from.Side
	}
}

// place finds the connection by addresses: the latest incarnation that had begun when the
// call ended.
func (l *linker) place(c *Call) {
	if !c.Remote.IsValid() {
		return
	}
	for _, lc := range l.conns {
		if c.End != 0 && lc.Start > c.End {
			continue
		}
		side := sideOf(lc.Connection, c)
		if side != NoSide {
			c.Connection, c.Side = lc.ID, side
		}
	}
}

// sideOf says which end of conn the call's socket is. A connect that failed may have lost
// its own address; its SYN inside the call tells.
func sideOf(conn *Connection, c *Call) Side {
	switch {
	case c.Local == conn.Client && c.Remote == conn.Server:
		return Client
	case c.Local == conn.Server && c.Remote == conn.Client:
		return Server
	case c.Name == "connect" && mayBe(c.Local, conn.Client) && c.Remote == conn.Server && within(c, conn.Start):
		return Client
	}
	return NoSide
}

// mayBe reports whether local, which may lack its address or port, can mean a.
func mayBe(local, a netip.AddrPort) bool {
	return !local.IsValid() || local.Port() == 0 || local.Port() == a.Port() && local.Addr().IsUnspecified()
}

// within reports whether t lies inside the call.
func within(c *Call, t event.Time) bool { return c.Start <= t && (c.End == 0 || t <= c.End) }

// inside returns the call of side s that t lies in, the latest begun when there are
// several, among those that ok accepts; nil when there is none.
func (lc *linked) inside(s Side, t event.Time, ok func(*Call) bool) *Call {
	var found *Call
	for _, c := range lc.calls {
		if c.Side == s && within(c, t) && ok(c) {
			found = c
		}
	}
	return found
}
