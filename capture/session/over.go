package session

import (
	"cmp"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// When nothing more can come of a pair of ends whose sockets the program has closed, after their last
// packet: of a reset connection, of one that closed (TIME_WAIT may answer), and of any other, on which
// the kernel still tries (TCP_RTO_MAX is 120 s).
const (
	quietReset  = 10 * time.Second
	quietClosed = 60 * time.Second
	quietOpen   = 130 * time.Second
)

// Connections counts the pairs of ends that are kept.
func (s *Session) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ends)
}

// Part is a recording of some of the connections.
type Part struct {
	*event.Recording
	Captured []uint64 // of each of its segments, the number that Options.Heard was told
}

// Over takes the connections of which nothing more can come out of the session: one recording for
// those that share sockets, or may be the legs of a relay, with the calls on all listening sockets. Rows are numbered on from one
// recording to the next.
func (s *Session) Over(now event.Time) []Part { return s.finished(now, false) }

// Rest takes all that is left, as Over does. It is for after End.
func (s *Session) Rest(now event.Time) []Part { return s.finished(now, true) }

// finished takes what is over out of the session; with end, everything is.
func (s *Session) finished(now event.Time, end bool) []Part {
	s.mu.Lock()
	s.sort(now)
	if s.wholeTo > 0 {
		s.dropPackets()
	}
	var recs []Part
	var forgotten []*conn
	listeners := s.listeners(now)
	for _, c := range s.ends {
		if s.ends[c.pair] != c || !end && !c.quiet(now) {
			continue
		}
		conns, sockets := c.over(now, end)
		if len(conns) == 0 {
			continue
		}
		rec := &event.Recording{Run: s.run}
		rec.AddCalls(listeners...)
		for _, c := range conns {
			rec.Segments = append(rec.Segments, c.segments...)
			rec.Kernel = append(rec.Kernel, c.told...)
			s.forgetTold(c)
			s.kept -= len(c.segments) * segmentSize
			delete(s.ends, c.pair)
		}
		for _, k := range sockets {
			rec.AddCalls(k.calls...)
			s.letGo(k)
		}
		sortTold(rec.Kernel)
		recs, forgotten = append(recs, s.numberOn(rec)), append(forgotten, conns...)
	}
	s.mu.Unlock()
	for _, c := range forgotten {
		s.scope.Forget(c.pair)
	}
	return recs
}

// listeners returns the calls on listening sockets, which any connection may need, and lets go of the
// sockets of which no connection can come any more.
func (s *Session) listeners(now event.Time) []event.Call {
	var calls []event.Call
	for _, k := range s.sockets {
		switch {
		case k.listening && (k.closed == 0 || now.Sub(k.closed) < quietOpen+quietClosed):
			calls = append(calls, k.calls...)
		case k.cookie == 0 || len(k.conns) == 0 && k.closed != 0:
			s.letGo(k)
		}
	}
	return calls
}

func (s *Session) letGo(k *socket) {
	for i := range k.calls {
		s.kept -= callSize(&k.calls[i])
	}
	s.letGoLegs(k)
	delete(s.sockets, k.cookie)
}

// cluster returns the connections that share sockets with c, with legs also those that may be other legs of theirs, and
// the sockets. Most have one or two.
func (c *conn) cluster(legs bool) (conns []*conn, sockets []*socket) {
	seen := map[*conn]bool{c: true}
	conns = []*conn{c}
	add := func(k *socket) {
		for _, other := range k.conns {
			if !seen[other] {
				seen[other] = true
				conns = append(conns, other)
			}
		}
	}
	for i := 0; i < len(conns); i++ {
		for _, k := range conns[i].sockets {
			if slices.Contains(sockets, k) {
				continue
			}
			sockets = append(sockets, k)
			add(k)
			if legs {
				for _, leg := range k.legs() {
					add(leg)
				}
			}
		}
	}
	return conns, sockets
}

func isOver(conns []*conn, sockets []*socket, now event.Time) bool {
	for _, k := range sockets {
		if k.closed == 0 || now.Sub(k.closed) < quietReset {
			return false
		}
	}
	for _, c := range conns {
		if !c.quiet(now) {
			return false
		}
	}
	return true
}

// quiet reports whether the last packet came so long ago that nothing can follow it.
func (c *conn) quiet(now event.Time) bool {
	if len(c.segments) == 0 {
		return len(c.sockets) > 0
	}
	wait := quietOpen
	switch {
	case c.reset:
		wait = quietReset
	case c.fins[0] && c.fins[1]:
		wait = quietClosed
	}
	return now.Sub(c.segments[len(c.segments)-1].Time) >= wait
}

// numberOn numbers the rows of rec after those that were handed out before.
func (s *Session) numberOn(rec *event.Recording) Part {
	part := Part{rec, make([]uint64, len(rec.Segments))}
	sortRows(rec)
	for i := range rec.Segments {
		part.Captured[i] = rec.Segments[i].Frame
	}
	numberRows(rec)
	for i := range rec.Segments {
		rec.Segments[i].Frame += s.numbered
	}
	for _, c := range rec.Calls {
		c.ID += int(s.numbered)
	}
	s.numbered += uint64(len(rec.Segments) + len(rec.Calls))
	return part
}

// sortRows puts packets and calls, which came in any order, in time order.
func sortRows(rec *event.Recording) {
	slices.SortFunc(rec.Calls, func(a, b *event.Call) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(rec.Segments, func(a, b event.Segment) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Frame, b.Frame))
	})
	slices.SortFunc(rec.Packets, func(a, b event.Packet) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Frame, b.Frame))
	})
}

// numberRows gives packets and calls, which are in time order, one numbering.
func numberRows(rec *event.Recording) {
	if rec.Packets != nil {
		rec.Number()
		return
	}
	rec.Packets = make([]event.Packet, len(rec.Segments)) // only to be counted
	for i := range rec.Segments {
		rec.Packets[i] = event.Packet{Frame: rec.Segments[i].Frame, Time: rec.Segments[i].Time}
	}
	rec.Number()
	rec.Packets = nil
}
