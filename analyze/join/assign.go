package join

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// holderKey is a descriptor of one process: after close it may name nothing, but a call on
// it still speaks of the connection that it named last.
type holderKey struct{ pid, fd int }

// assign finds each call's connection and side: by its socket's addresses, else by the
// socket's identity. What neither knows is guessed: a connect by the SYN that it encloses,
// others by what their descriptor named before. A socket that has an address and never a
// connection listens.
func (l *linker) assign() {
	ends := newEnds(l.conns)
	bySocket := map[uint64]*analyze.Call{}
	for _, c := range l.res.Calls {
		ends.place(c)
		if c.Connection == 0 {
			adopt(c, bySocket[c.Socket])
		}
		if c.Connection != 0 && c.Socket != 0 {
			bySocket[c.Socket] = c
		}
	}
	l.guess()
	for _, c := range l.res.Calls {
		if k := bySocket[c.Socket]; k != nil && (c.Connection == 0 || c.Guessed) { // made before it was connected
			adopt(c, k)
			c.Guessed = false
		}
	}

	listening := map[uint16][]*analyze.Call{}
	for _, c := range l.res.Calls {
		if lc := l.byID[c.Connection]; lc != nil {
			lc.calls = append(lc.calls, c)
			lc.known[columnOf(c.Side)] = true
		} else if c.Local.IsValid() && c.Kind() == event.CloseCall {
			listening[c.Local.Port()] = append(listening[c.Local.Port()], c)
		}
	}
	l.listens = make(map[uint16]*callList, len(listening))
	for port, calls := range listening {
		l.listens[port] = newCallList(calls)
	}
}

// guess places the calls that no address and no identity places.
func (l *linker) guess() {
	newDials(l.conns, l.res.Calls).place(l.res.Calls)
	bySocket := map[uint64]*analyze.Call{}
	byFD := map[holderKey]*analyze.Call{}
	for _, c := range l.res.Calls {
		switch {
		case c.Connection != 0:
		case c.Socket != 0:
			guess(c, bySocket[c.Socket])
		case c.Name == "socket":
			delete(byFD, keyOf(c)) // the descriptor is another socket's from here on
		case !c.Local.IsValid():
			guess(c, byFD[keyOf(c)])
		}
		if c.Connection == 0 {
			continue
		}
		key := keyOf(c)
		if c.Accepted > 0 {
			key.fd = c.Accepted
		}
		byFD[key] = c
		if c.Guessed && c.Socket != 0 {
			bySocket[c.Socket] = c
		}
	}
	for _, c := range l.res.Calls {
		if c.Connection == 0 {
			guess(c, bySocket[c.Socket])
		}
	}
}

func guess(c, from *analyze.Call) {
	adopt(c, from)
	c.Guessed = from != nil
}

func adopt(c, from *analyze.Call) {
	if from != nil {
		c.Connection, c.Side = from.Connection, from.Side
	}
}

// sure is how a claim is known that follows from the call.
func sure(c *analyze.Call) analyze.Confidence {
	if c.Guessed {
		return analyze.Inferred
	}
	return analyze.Observed
}

// ends finds connections by both their addresses.
type ends map[[2]netip.AddrPort]*incarnations

// incarnations are the connections of one 4-tuple in the order of their numbers.
type incarnations struct {
	conns []*linked
	early order // by start, the earliest is the largest
}

func newEnds(conns []*linked) ends {
	e := make(ends, len(conns))
	for _, lc := range conns {
		key := [2]netip.AddrPort{lc.Client, lc.Server}
		if e[key] == nil {
			e[key] = &incarnations{}
		}
		e[key].conns = append(e[key].conns, lc)
	}
	for _, in := range e {
		keys := make([]int64, len(in.conns))
		for i, lc := range in.conns {
			keys[i] = ^int64(lc.Start)
		}
		in.early = newOrder(keys)
	}
	return e
}

// place finds c's connection by addresses: the latest incarnation that had begun when the
// call ended.
func (e ends) place(c *analyze.Call) {
	if !c.Remote.IsValid() {
		return
	}
	at := e[[2]netip.AddrPort{c.Local, c.Remote}].begun(lastMoment(c))
	as := e[[2]netip.AddrPort{c.Remote, c.Local}].begun(lastMoment(c))
	switch {
	case at != nil && (as == nil || as.row <= at.row):
		c.Connection, c.Side = at.ID, analyze.Client
	case as != nil:
		c.Connection, c.Side = as.ID, analyze.Server
	}
}

// begun returns the last connection that had begun at t; nil when there is none.
func (in *incarnations) begun(t event.Time) *linked {
	if in == nil {
		return nil
	}
	if i := in.early.last(len(in.conns), ^int64(t)); i >= 0 {
		return in.conns[i]
	}
	return nil
}

// dials finds connections that a connect began whose own address is not known, as of one that
// failed: its SYN lies inside the call. Connections whose connect is known are left out.
type dials map[dialKey]*dialled

// dialKey is the peer's address and the own port, 0 for any.
type dialKey struct {
	server netip.AddrPort
	port   uint16
}

// dialled are connections to one peer by start.
type dialled struct {
	conns  []*linked
	other  []int // of each, the place of the next one from another address
	rivals []int // how many more guesses could mean it than the one before it
}

func newDials(conns []*linked, calls []*analyze.Call) dials {
	known := map[int]bool{}
	for _, c := range calls {
		if c.Name == "connect" && c.Connection != 0 && c.Side == analyze.Client {
			known[c.Connection] = true
		}
	}
	d := dials{}
	for _, lc := range conns {
		if known[lc.ID] {
			continue
		}
		for _, port := range []uint16{0, lc.Client.Port()} {
			key := dialKey{lc.Server, port}
			if d[key] == nil {
				d[key] = &dialled{}
			}
			d[key].conns = append(d[key].conns, lc)
		}
	}
	for _, to := range d {
		n := len(to.conns)
		slices.SortStableFunc(to.conns, func(a, b *linked) int { return cmp.Compare(a.Start, b.Start) })
		to.other, to.rivals = make([]int, n), make([]int, n+1)
		for i := n - 1; i >= 0; i-- {
			to.other[i] = i + 1
			if i+1 < n && to.conns[i+1].Client == to.conns[i].Client {
				to.other[i] = to.other[i+1]
			}
		}
	}
	return d
}

// place gives each connect without a connection the one whose SYN it encloses. Where that can be
// several, or where several sockets could have sent it, nobody gets it.
func (d dials) place(calls []*analyze.Call) {
	claims := map[*linked][]*analyze.Call{}
	for _, c := range calls {
		if c.Connection != 0 || c.Name != "connect" || !c.Remote.IsValid() {
			continue
		}
		if lc := d.enclosed(c); lc != nil {
			claims[lc] = append(claims[lc], c)
		}
	}
	for lc, by := range claims {
		if slices.ContainsFunc(by, func(c *analyze.Call) bool { return keyOf(c) != keyOf(by[0]) }) {
			lc.rival = true
			continue
		}
		for _, c := range by {
			c.Connection, c.Side, c.Guessed = lc.ID, analyze.Client, true
		}
	}
	d.markRivals()
}

// enclosed returns the connection that began inside c, the last incarnation; nil when there is
// none, or several from different addresses.
func (d dials) enclosed(c *analyze.Call) *linked {
	key := dialKey{server: c.Remote}
	if c.Local.IsValid() && c.Local.Port() != 0 {
		if !c.Local.Addr().IsUnspecified() {
			return nil
		}
		key.port = c.Local.Port()
	}
	to := d[key]
	if to == nil {
		return nil
	}
	from, end := to.begun(c.Start-1), to.begun(lastMoment(c))
	switch {
	case from >= end:
		return nil
	case to.other[from] >= end:
		return to.conns[end-1]
	}
	to.rivals[from]++
	to.rivals[end]--
	return nil
}

// begun counts the connections that had begun at t.
func (to *dialled) begun(t event.Time) int {
	n, _ := slices.BinarySearchFunc(to.conns, t, func(lc *linked, t event.Time) int {
		if lc.Start <= t {
			return -1
		}
		return 1
	})
	return n
}

// markRivals marks the connections that a connect without a connection may have begun.
func (d dials) markRivals() {
	for _, to := range d {
		n := 0
		for i, lc := range to.conns {
			n += to.rivals[i]
			lc.rival = lc.rival || n > 0
		}
	}
}

// inferHolders finds, where the recorder could not say who else holds a socket, a holder by
// what it did later: a call through another descriptor proves that it was open.
func (lc *linked) inferHolders() {
	var next [2][]int // of each usable call, the place of the next one through another descriptor
	for _, c := range lc.calls {
		if c.Kind() != event.CloseCall || c.Socket != 0 || c.Errno != "" || len(c.Holders) > 0 {
			continue
		}
		calls := lc.callsOf(usable, c.Side).calls
		others := &next[columnOf(c.Side)]
		if *others == nil {
			*others = nextOthers(calls)
		}
		// The first that began after c, and not before c ended.
		i, _ := slices.BinarySearchFunc(calls, c, func(k, c *analyze.Call) int {
			if k.Row > c.Row && k.Start >= c.End {
				return 1
			}
			return -1
		})
		if i < len(calls) && keyOf(calls[i]) == keyOf(c) {
			i = (*others)[i]
		}
		if i < len(calls) {
			k := calls[i]
			told := *c.Call
			told.Holders = []event.Holder{{PID: k.PID, FD: k.FD, Actor: k.Actor}}
			c.Call = &told
		}
	}
}

func keyOf(c *analyze.Call) holderKey { return holderKey{c.PID, c.FD} }

func nextOthers(calls []*analyze.Call) []int {
	next := make([]int, len(calls))
	for i := len(calls) - 1; i >= 0; i-- {
		next[i] = i + 1
		if i+1 < len(calls) && keyOf(calls[i+1]) == keyOf(calls[i]) {
			next[i] = next[i+1]
		}
	}
	return next
}
