package analyze

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// softirqGap bounds how long after a segment the kernel's immediate answer to it leaves. A
// delayed ACK comes no sooner than TCP_DELACK_MIN, 40 ms (include/net/tcp.h).
const softirqGap = 10 * time.Millisecond

// roots finds why each segment was sent, in capture order, so that a segment's own cause is
// known before those of its answers, and hands it to the calls that caused it.
func (l *linker) roots() {
	for _, c := range l.conns {
		for _, s := range c.Segments {
			s.Root = l.root(c, s)
			if s.Root.Kind == RootUnknown && !c.recorded(s.From) {
				s.Root = Root{Kind: RootRemote, Confidence: Observed}
			}
			switch {
			case s.Root.Kind == RootUnknown:
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

// recorded reports whether any call of that side was recorded.
func (lc *linked) recorded(side Side) bool {
	return slices.ContainsFunc(lc.calls, func(c *Call) bool { return c.Side == side })
}

func (l *linker) cause(id int, s *Segment) {
	if c := l.calls[id]; c != nil {
		c.Caused = append(c.Caused, s.Frame)
	}
}

func (l *linker) root(c *linked, s *Segment) Root {
	if s.Retransmits != 0 && s.Kind != KindRst {
		return l.repeatRoot(c, s)
	}
	switch s.Kind {
	case KindSyn:
		return l.synRoot(c, s)
	case KindData:
		return l.dataRoot(c, s)
	case KindFin:
		return l.withData(c, s, l.finRoot(c, s))
	case KindRst:
		return l.rstRoot(c, s)
	case KindKeepalive:
		return Root{Kind: RootTimer, Timer: "keepalive", Confidence: Inferred}
	case KindWindowProbe:
		return Root{Kind: RootTimer, Timer: "probe", Confidence: Inferred}
	}
	return l.ackRoot(c, s)
}

// repeatRoot: a timer repeats a segment, unless an answer that had just come asked for it.
func (l *linker) repeatRoot(c *linked, s *Segment) Root {
	if a := l.frames[s.Answers]; a != nil && s.Kind == KindSynAck && soonAfter(s, a) {
		return answer(a, Inferred)
	}
	if d := lastFrom(c, s.From.Other(), s); d != nil && d.Kind == KindAck && soonAfter(s, d) {
		return Root{Kind: RootAnswer, Frame: d.Frame, Timer: "retransmit", Confidence: Inferred,
			Why: fmt.Sprintf("repeats frame %d because frame %d shows it missing", s.Retransmits, d.Frame)}
	}
	return Root{Kind: RootTimer, Timer: "retransmit", Frame: s.Retransmits, Confidence: Observed}
}

// lastFrom returns the segment of side that came last before s.
func lastFrom(c *linked, side Side, s *Segment) *Segment {
	var last *Segment
	for _, t := range c.Segments {
		if t == s {
			break
		}
		if t.From == side {
			last = t
		}
	}
	return last
}

func soonAfter(s, before *Segment) bool { return s.Time.Sub(before.Time) < softirqGap }

func (l *linker) synRoot(c *linked, s *Segment) Root {
	opens := func(k *Call) bool { return kindOf(k) == connectCall || kindOf(k) == sendCall }
	if k := c.inside(s.From, s.Time, opens); k != nil {
		return callRoot(k, "")
	}
	return Root{Kind: RootUnknown, Why: "no recorded connect() encloses it"}
}

// dataRoot goes by byte ranges: time only picks among the calls that one segment serves.
func (l *linker) dataRoot(c *linked, s *Segment) Root {
	var served []*Call
	var left *Call
	for _, k := range c.calls {
		if k.Side == s.From && kindOf(k) == sendCall && covers(k, s) {
			served = append(served, k)
			if within(k, s.Time) {
				left = k
			}
		}
	}
	if len(served) == 0 {
		// A send still running when the recording ended has no range yet.
		running := func(k *Call) bool { return kindOf(k) == sendCall && (k.Bytes == nil) }
		if k := c.inside(s.From, s.Time, running); k != nil {
			return callRoot(k, "")
		}
		return Root{Kind: RootUnknown, Why: "no recorded send covers its bytes"}
	}
	r := callRoot(served[0], "")
	if left != nil {
		r = callRoot(left, "")
	} else {
		r.Why, r.Frame = waited(c, s)
	}
	for _, k := range served {
		if len(served) > 1 {
			r.Calls = append(r.Calls, k.ID)
		}
	}
	return r
}

// withData adds the sends whose last bytes ride on a FIN.
func (l *linker) withData(c *linked, s *Segment, r Root) Root {
	for _, k := range c.calls {
		if k.Side == s.From && kindOf(k) == sendCall && covers(k, s) {
			if len(r.Calls) == 0 && r.Call != 0 {
				r.Calls = []int{r.Call}
			}
			r.Calls = append(r.Calls, k.ID)
		}
	}
	return r
}

// waited says what let a segment go that did not leave inside its own call.
func waited(c *linked, s *Segment) (why string, frame uint64) {
	if a := lastFrom(c, s.From.Other(), s); a != nil && soonAfter(s, a) {
		return fmt.Sprintf("waited in the send queue until frame %d", a.Frame), a.Frame
	}
	return "waited in the send queue", 0
}

// finRoot: the first call that ended the write side. A descriptor that a blocked call still
// used keeps the socket open past close(); then the FIN leaves when that call returns.
func (l *linker) finRoot(c *linked, s *Segment) Root {
	var first, left *Call
	for _, k := range c.calls {
		if k.Side != s.From || !endsWriting(k) || k.Start > s.Time {
			continue
		}
		if first == nil {
			first = k
		}
		if within(k, s.Time) && left == nil {
			left = k
		}
	}
	switch {
	case first == nil:
		return Root{Kind: RootUnknown, Why: "no recorded call ended this side's stream before it"}
	case within(first, s.Time) || left == nil:
		r := callRoot(first, "")
		if !within(first, s.Time) {
			l.lateFin(c, s, first, &r)
		}
		return r
	case kindOf(first) == closeCall:
		return callRoot(left, fmt.Sprintf("the last reference; #%d was not", first.ID))
	}
	return callRoot(first, "")
}

// lateFin explains a FIN that left after its call had returned.
func (l *linker) lateFin(c *linked, s *Segment, first *Call, r *Root) {
	blocked := func(k *Call) bool { return k.Start < first.Start && !endsWriting(k) }
	var holder *Call
	for _, k := range c.calls {
		if k.Side == s.From && blocked(k) && k.PID == first.PID && k.TID != first.TID &&
			(k.End == 0 || k.End > first.End) {
			holder = k
		}
	}
	if holder != nil {
		r.Calls = []int{first.ID, holder.ID}
		r.Why = fmt.Sprintf("#%d %s() still used the socket; it closed when that returned", holder.ID, holder.Name)
		return
	}
	r.Why, r.Frame = waited(c, s)
}

// rstRoot: the sender's own abort, or its kernel's answer to a segment.
func (l *linker) rstRoot(c *linked, s *Segment) Root {
	if k := c.inside(s.From, s.Time, mayReset); k != nil {
		return callRoot(k, "")
	}
	if k := l.listenerClose(c, s); k != nil {
		return callRoot(k, "the listener took its un-accepted connections with it")
	}
	if a := l.frames[s.Answers]; a != nil && soonAfter(s, a) {
		return answer(a, Observed)
	}
	if a := lastFrom(c, s.From, s); a != nil && a.Kind == KindKeepalive {
		return Root{Kind: RootTimer, Timer: "keepalive", Confidence: Inferred}
	}
	return Root{Kind: RootUnknown, Why: "no call of its sender encloses it and it answers nothing in sight"}
}

// listenerClose returns the close of the listening socket that the segment left in.
func (l *linker) listenerClose(c *linked, s *Segment) *Call {
	own := c.Server
	if s.From == Client {
		own = c.Client
	}
	for _, k := range l.listens {
		if kindOf(k) == closeCall && within(k, s.Time) && k.Local.Port() == own.Port() {
			return k
		}
	}
	return nil
}

// ackRoot: a kernel acknowledges inside the call that sent, or late: inside a call that read,
// or when its delayed-ACK timer fires. Before the first data that timer has no minimum and
// fires at the next tick (tcp_send_delayed_ack in net/ipv4/tcp_output.c with ato 0), so on one
// host it is told by the sending call's end and not by a delay.
func (l *linker) ackRoot(c *linked, s *Segment) Root {
	a := l.frames[s.Answers]
	own := c.inside(s.From, s.Time, acknowledges)
	switch {
	case a != nil && l.duringCall(s, a):
		return answer(a, Observed)
	case own != nil && (a == nil || a.Time < own.Start):
		return callRoot(own, "reading let the kernel acknowledge")
	case a == nil:
		return l.staleAck(c, s)
	case a.Root.Call != 0 && within(l.calls[a.Root.Call], a.Time):
		return Root{Kind: RootTimer, Timer: "delayed-ack", Frame: a.Frame, Confidence: Inferred}
	case soonAfter(s, a):
		return answer(a, Inferred)
	}
	return Root{Kind: RootTimer, Timer: "delayed-ack", Frame: a.Frame, Confidence: Inferred}
}

// duringCall reports whether s left while the call behind a, which it acknowledges, still ran.
// Of a call that blocked that says little: meanwhile the delayed-ACK timer may have fired.
func (l *linker) duringCall(s, a *Segment) bool {
	c := l.calls[a.Root.Call]
	return c != nil && within(c, s.Time) && (!c.Blocked || soonAfter(s, a))
}

// staleAck: an end in TIME_WAIT answers the SYN of another connection between the same two
// ports with the last ACK of its own (RFC 1337).
func (l *linker) staleAck(c *linked, s *Segment) Root {
	for _, next := range l.conns {
		if next == c || next.Client.Port() != c.portOf(s.From.Other()) || next.Server.Port() != c.portOf(s.From) {
			continue
		}
		syn := next.lastBefore(s.Time, func(t *Segment) bool { return t.Kind == KindSyn })
		if syn != nil && soonAfter(s, syn) {
			r := l.root(next, syn)
			return Root{Kind: RootAnswer, Call: r.Call, Frame: syn.Frame, Confidence: Inferred,
				Why: fmt.Sprintf("repeats its last ACK in answer to the SYN of connection %d", next.ID)}
		}
	}
	return Root{Kind: RootUnknown, Why: "it acknowledges nothing in sight"}
}

func (lc *linked) portOf(s Side) uint16 {
	if s == Server {
		return lc.Server.Port()
	}
	return lc.Client.Port()
}

// acknowledges reports whether the call itself may send an ACK: one that made room by
// reading (tcp_cleanup_rbuf), or asked for it.
func acknowledges(c *Call) bool {
	return kindOf(c) == recvCall && c.Ret > 0 || c.End == 0 || strings.Contains(c.Args, "TCP_QUICKACK")
}

// answer is the root of a kernel's answer to a: the call behind a is behind the answer too.
func answer(a *Segment, conf Confidence) Root {
	return Root{Kind: RootAnswer, Call: a.Root.Call, Timer: a.Root.Timer, Frame: a.Frame, Confidence: conf}
}

func callRoot(c *Call, why string) Root {
	return Root{Kind: RootCall, Call: c.ID, Confidence: Observed, Why: why}
}

// firstAfter returns the first segment from t on that ok accepts.
func (lc *linked) firstAfter(t event.Time, ok func(*Segment) bool) *Segment {
	for _, s := range lc.Segments {
		if s.Time >= t && ok(s) {
			return s
		}
	}
	return nil
}

// lastBefore returns the last segment up to t that ok accepts.
func (lc *linked) lastBefore(t event.Time, ok func(*Segment) bool) *Segment {
	var last *Segment
	for _, s := range lc.Segments {
		if s.Time <= t && ok(s) {
			last = s
		}
	}
	return last
}
