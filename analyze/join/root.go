package join

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// softirqGap bounds how long after a segment the kernel's immediate answer to it leaves. A
// delayed ACK comes no sooner than TCP_DELACK_MIN, 40 ms (include/net/tcp.h).
const softirqGap = 10 * time.Millisecond

// roots finds why each segment was sent, in capture order, so that a segment's own cause is
// known before those of its answers, and hands it to the calls that caused it.
func (l *linker) roots() {
	for _, c := range l.conns {
		for _, side := range []analyze.Side{analyze.Client, analyze.Server} {
			c.ways[columnOf(side)] = c.way(side)
		}
		for i, s := range c.Segments {
			s.Root = l.root(c, i)
			l.departs(s)
			l.tells(c, i)
			if s.Root.Kind == analyze.RootUnknown && !c.known[columnOf(s.From)] {
				s.Root = c.unrecorded(s.From)
			}
			switch {
			case s.Root.Kind == analyze.RootUnknown:
				l.res.Capture.Unattributed++
			case len(s.Root.Calls) > 0:
				for _, id := range s.Root.Calls {
					l.cause(id, s)
				}
			case s.Root.Call != 0:
				l.cause(s.Root.Call, s)
			}
		}
	}
	for _, c := range l.res.Calls {
		slices.Sort(c.Caused) // one call may cause segments of several connections
	}
}

// unrecorded is the root of what a side sent that has no calls.
func (lc *linked) unrecorded(side analyze.Side) analyze.Root {
	if side == analyze.Client && lc.rival {
		return analyze.Root{Kind: analyze.RootUnknown, Why: "several sockets called connect() at that time, and their own addresses are not known"}
	}
	return analyze.Root{Kind: analyze.RootRemote, Confidence: analyze.Observed}
}

func (l *linker) cause(id int, s *analyze.Segment) {
	if c := l.calls.get(id); c != nil {
		c.Caused = append(c.Caused, s.Frame)
	}
}

// root finds why the segment at place i was sent.
func (l *linker) root(c *linked, i int) analyze.Root {
	s := c.Segments[i]
	if r, ok := l.multipathRoot(c, i); ok {
		return r
	}
	if s.Retransmits != 0 && s.Kind != analyze.KindRst {
		return l.repeatRoot(c, i)
	}
	switch s.Kind {
	case analyze.KindSyn:
		return synRoot(c, s)
	case analyze.KindData:
		return dataRoot(c, i)
	case analyze.KindFin:
		return withData(c, s, l.finRoot(c, i))
	case analyze.KindRst:
		return l.rstRoot(c, i)
	case analyze.KindKeepalive:
		return analyze.Root{Kind: analyze.RootTimer, Timer: "keepalive", Confidence: analyze.Inferred}
	case analyze.KindWindowProbe:
		return analyze.Root{Kind: analyze.RootTimer, Timer: "probe", Confidence: analyze.Inferred}
	}
	return l.ackRoot(c, i)
}

// repeatRoot: a timer repeats a segment, unless an answer that had just come asked for it.
func (l *linker) repeatRoot(c *linked, i int) analyze.Root {
	s := c.Segments[i]
	if a := c.segment(s.Answers, i); a != nil && s.Kind == analyze.KindSynAck && soonAfter(s, a) {
		return l.answer(a, analyze.Inferred)
	}
	if d := c.lastFrom(c.Peer(s.From), i); d != nil && d.Kind == analyze.KindAck && soonAfter(s, d) {
		return analyze.Root{Kind: analyze.RootAnswer, Frame: d.Frame, Timer: "retransmit", Confidence: analyze.Inferred,
			Why: fmt.Sprintf("repeats frame %d because frame %d shows it missing", s.Retransmits, d.Frame)}
	}
	return analyze.Root{Kind: analyze.RootTimer, Timer: "retransmit", Frame: s.Retransmits, Confidence: analyze.Observed}
}

func soonAfter(s, before *analyze.Segment) bool { return s.Time.Sub(before.Time) < softirqGap }

func synRoot(c *linked, s *analyze.Segment) analyze.Root {
	if k := c.callsOf(connects, s.From).lastAt(s.Time, nil); k != nil {
		return callRoot(k, "")
	}
	return analyze.Root{Kind: analyze.RootUnknown, Why: "no recorded connect() encloses it"}
}

// dataRoot goes by byte ranges: time only picks among the calls that one segment serves.
func dataRoot(c *linked, i int) analyze.Root {
	s := c.Segments[i]
	served := c.served(s)
	if len(served) == 0 {
		// A send still running when the recording ended has no range yet.
		if k := c.callsOf(openSends, s.From).lastAt(s.Time, nil); k != nil {
			return callRoot(k, "")
		}
		return analyze.Root{Kind: analyze.RootUnknown, Why: "no recorded send covers its bytes"}
	}
	var left *analyze.Call
	for _, k := range served {
		if within(k, s.Time) {
			left = k
		}
	}
	r := callRoot(served[0], "")
	if left != nil {
		r = callRoot(left, "")
	} else {
		r.Why, r.Frame = waited(c, i)
	}
	for _, k := range served {
		if len(served) > 1 {
			r.Calls = append(r.Calls, k.ID)
		}
	}
	return r
}

// served returns the sends of which s carries bytes.
func (lc *linked) served(s *analyze.Segment) []*analyze.Call {
	if s.Len == 0 || s.Seq < 1 {
		return nil
	}
	calls := lc.callsOf(rangedSends, s.From).calls // their ranges lie end to end
	begin := uint64(s.Seq - 1)                     // the SYN took number 0
	from, _ := slices.BinarySearchFunc(calls, begin+1, func(c *analyze.Call, at uint64) int { return cmp.Compare(c.Bytes[1], at) })
	to := from
	for to < len(calls) && calls[to].Bytes[0] < begin+uint64(s.Len) {
		to++
	}
	return calls[from:to]
}

// withData adds the sends whose last bytes ride on a FIN.
func withData(c *linked, s *analyze.Segment, r analyze.Root) analyze.Root {
	for _, k := range c.served(s) {
		if len(r.Calls) == 0 && r.Call != 0 {
			r.Calls = []int{r.Call}
		}
		r.Calls = append(r.Calls, k.ID)
	}
	return r
}

// waited says what let a segment go that did not leave inside its own call.
func waited(c *linked, i int) (why string, frame uint64) {
	s := c.Segments[i]
	if a := c.lastFrom(c.Peer(s.From), i); a != nil && soonAfter(s, a) {
		return fmt.Sprintf("waited in the send queue until frame %d", a.Frame), a.Frame
	}
	return "waited in the send queue", 0
}

// finRoot: the first call that ended the write side. A descriptor that a blocked call still
// used keeps the socket open past close(); then the FIN leaves when that call returns.
func (l *linker) finRoot(c *linked, i int) analyze.Root {
	s := c.Segments[i]
	enders := c.callsOf(writeEnders, s.From)
	if enders.begun(s.Time) == 0 {
		return l.unrecordedEnd(c, s)
	}
	first, left := enders.calls[0], enders.firstAt(s.Time)
	switch {
	case within(first, s.Time) || left == nil:
		if within(first, s.Time) {
			return callRoot(first, "")
		}
		return l.lateFin(c, i, first)
	case first.Kind() == event.CloseCall:
		return callRoot(left, fmt.Sprintf("the last reference; #%d was not", first.ID))
	}
	return callRoot(first, "")
}

// lateFin explains a FIN that left after its call had returned.
func (l *linker) lateFin(c *linked, i int, first *analyze.Call) analyze.Root {
	r := callRoot(first, "")
	holder := c.callsOf(anyCalls, first.Side).lastAt(first.End, func(k *analyze.Call) bool {
		return k.Start < first.Start && !endsWriting(k) && k.PID == first.PID && k.TID != first.TID &&
			lastMoment(k) > first.End
	})
	if holder != nil {
		r.Calls = []int{first.ID, holder.ID}
		r.Why = fmt.Sprintf("#%d %s() still used the socket; it closed when that returned", holder.ID, holder.Name)
		return r
	}
	if c.heldAfter(first) {
		return l.letGo(c, c.Segments[i], first)
	}
	r.Why, r.Frame = waited(c, i)
	return r
}

// lookupTime is how long strace -yy may look a socket up, between a line's time and when it lets the call go, from
// which on -T counts.
const lookupTime = time.Millisecond

// justReturned returns the call of a log that may have aborted with s, an RST of a living socket, though that left when
// the call had returned by its line.
func (lc *linked) justReturned(s *analyze.Segment) *analyze.Call {
	list := lc.callsOf(resetters, s.From)
	n := list.begun(s.Time)
	if n == 0 || !s.Flags.Has(event.ACK) {
		return nil
	}
	if k := list.calls[n-1]; k.Kind() == event.CloseCall && k.Socket == 0 && s.Time.Sub(k.End) < lookupTime {
		return k
	}
	return nil
}

// rstRoot: the sender's own abort, or its kernel's answer to a segment.
func (l *linker) rstRoot(c *linked, i int) analyze.Root {
	s := c.Segments[i]
	if k := c.callsOf(resetters, s.From).lastAt(s.Time, nil); k != nil {
		return callRoot(k, "")
	}
	if k := l.listenerClose(c, s); k != nil {
		return callRoot(k, "the listener took its un-accepted connections with it")
	}
	if a := c.segment(s.Answers, i); a != nil && soonAfter(s, a) {
		return l.answer(a, analyze.Observed)
	}
	if a := c.lastFrom(s.From, i); a != nil && a.Kind == analyze.KindKeepalive {
		return analyze.Root{Kind: analyze.RootTimer, Timer: "keepalive", Confidence: analyze.Inferred}
	}
	if k := c.justReturned(s); k != nil {
		r := callRoot(k, "the log dates calls a little early: it left at once after this one")
		r.Confidence = analyze.Inferred
		return r
	}
	return analyze.Root{Kind: analyze.RootUnknown, Why: "no call of its sender encloses it and it answers nothing in sight"}
}

// listenerClose returns the close of the listening socket that the segment left in.
func (l *linker) listenerClose(c *linked, s *analyze.Segment) *analyze.Call {
	if closes := l.listens[c.portOf(s.From)]; closes != nil {
		return closes.firstAt(s.Time)
	}
	return nil
}

// ackRoot: a kernel acknowledges inside the call that sent, or late: inside a call that read,
// or when its delayed-ACK timer fires. Before the first data that timer has no minimum and
// fires at the next tick (tcp_send_delayed_ack in net/ipv4/tcp_output.c with ato 0), so on one
// host it is told by the sending call's end and not by a delay.
func (l *linker) ackRoot(c *linked, i int) analyze.Root {
	s := c.Segments[i]
	a := c.segment(s.Answers, i)
	own := c.callsOf(acknowledgers, s.From).lastAt(s.Time, nil)
	switch {
	case a != nil && l.duringCall(s, a):
		return l.answer(a, analyze.Observed)
	case own != nil && (a == nil || a.Time < own.Start):
		return callRoot(own, "reading let the kernel acknowledge")
	case a == nil:
		return l.staleAck(c, s)
	case !c.known[columnOf(s.From)]:
		return l.ackFromAfar(c, s, a)
	case a.Root.Call != 0 && within(l.calls.get(a.Root.Call), a.Time):
		return analyze.Root{Kind: analyze.RootTimer, Timer: "delayed-ack", Frame: a.Frame, Confidence: analyze.Inferred}
	case soonAfter(s, a):
		return l.answer(a, analyze.Inferred)
	}
	return analyze.Root{Kind: analyze.RootTimer, Timer: "delayed-ack", Frame: a.Frame, Confidence: analyze.Inferred}
}

// duringCall reports whether s left while the call behind a, which it acknowledges, still ran.
// Of a call that blocked that says little: meanwhile the delayed-ACK timer may have fired.
func (l *linker) duringCall(s, a *analyze.Segment) bool {
	c := l.calls.get(a.Root.Call)
	return c != nil && within(c, s.Time) && (!c.Blocked || soonAfter(s, a))
}

// staleAck: an end in TIME_WAIT answers the SYN of another connection between the same two
// ports with the last ACK of its own (RFC 1337).
func (l *linker) staleAck(c *linked, s *analyze.Segment) analyze.Root {
	if syn := l.synBefore(c, s); syn != nil {
		next := syn.of
		r := l.root(next, syn.place)
		return analyze.Root{Kind: analyze.RootAnswer, Call: r.Call, Frame: next.Segments[syn.place].Frame, Confidence: analyze.Inferred,
			Why: fmt.Sprintf("repeats its last ACK in answer to the SYN of connection %d", next.ID)}
	}
	return analyze.Root{Kind: analyze.RootUnknown, Why: "it acknowledges nothing in sight"}
}

// synOf is a SYN with its place in its connection.
type synOf struct {
	of    *linked
	place int
	time  event.Time
}

// synBefore returns the SYN of another connection between the ports of c that came right before
// s: of several connections that of the first, of its SYNs the last.
func (l *linker) synBefore(c *linked, s *analyze.Segment) *synOf {
	if l.syns == nil {
		l.indexSyns()
	}
	list := l.syns[[2]uint16{c.portOf(s.From.Other()), c.portOf(s.From)}]
	i, _ := slices.BinarySearchFunc(list, s.Time, func(y *synOf, t event.Time) int {
		if y.time <= t {
			return -1
		}
		return 1
	})
	var found *synOf
	for i--; i >= 0 && s.Time.Sub(list[i].time) < softirqGap; i-- {
		y := list[i]
		if y.of != c && (found == nil || y.of.row < found.of.row || y.of == found.of && y.place > found.place) {
			found = y
		}
	}
	return found
}

// indexSyns lists the SYNs by their connection's ports, client's first, in order of time.
func (l *linker) indexSyns() {
	l.syns = map[[2]uint16][]*synOf{}
	for _, lc := range l.conns {
		key := [2]uint16{lc.Client.Port(), lc.Server.Port()}
		for i, s := range lc.Segments {
			if s.Kind == analyze.KindSyn {
				l.syns[key] = append(l.syns[key], &synOf{lc, i, s.Time})
			}
		}
	}
	for _, list := range l.syns {
		slices.SortStableFunc(list, func(a, b *synOf) int { return cmp.Compare(a.time, b.time) })
	}
}

func (lc *linked) portOf(s analyze.Side) uint16 {
	if s == analyze.Server {
		return lc.Server.Port()
	}
	return lc.Client.Port()
}

// acknowledges reports whether the call itself may send an ACK: one that made room by
// reading (tcp_cleanup_rbuf), or asked for it.
func acknowledges(c *analyze.Call) bool {
	return c.Kind() == event.RecvCall && c.Ret > 0 || c.End == 0 || strings.Contains(c.Args, "TCP_QUICKACK")
}

// answer is the root of a kernel's answer to a: the call behind a is behind the answer too.
func (l *linker) answer(a *analyze.Segment, conf analyze.Confidence) analyze.Root {
	if c := l.calls.get(a.Root.Call); c != nil && c.Guessed {
		conf = analyze.Inferred
	}
	return analyze.Root{Kind: analyze.RootAnswer, Call: a.Root.Call, Timer: a.Root.Timer, Frame: a.Frame, Confidence: conf}
}

func callRoot(c *analyze.Call, why string) analyze.Root {
	return analyze.Root{Kind: analyze.RootCall, Call: c.ID, Confidence: sure(c), Why: why}
}
