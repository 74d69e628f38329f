package join

import (
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// believes takes over what the kernel said of an end where the wire suggests got, if TCP changes
// so without a segment that shows it. It reports whether it did.
func (lc *linked) believes(s sampleOf, got event.TCPState) bool {
	side := s.side
	ch := analyze.StateChange{State: s.State, Confidence: analyze.InKernel}
	switch {
	case s.State == event.Closed && lc.onlySyn(side, got, s.Time):
		if !lc.onlySyn(side, got, lc.End) { // the socket came later
			return true
		}
		ch.Time = s.Time
		lc.Why = append(lc.Why, fmt.Sprintf("after #%d the kernel had no socket for the %s, which sent nothing but its SYN,ACK: that was a SYN cookie, or is forgotten", s.call.ID, side))
	case s.State == event.Established && got == event.SynRecv:
		if ack := lc.segmentsOf(afterTheSyn, side.Other()).firstUpTo(s.Time); ack != nil {
			ch.Time, ch.Frame = ack.Time, ack.Frame
		}
	case s.State == event.Closed:
		ch.Time = lc.forgotten(side, s.Sample, got)
	case endsOwnStream(got, s.State):
		ch.Time = lc.finQueued(side, s.Sample)
	case tookFin(got, s.State):
		if fin := lc.segmentsOf(finSegments, side.Other()).lastUpTo(s.Time, nil); fin != nil {
			ch.Time, ch.Frame = fin.Time, fin.Frame
		}
	}
	if ch.Time == 0 {
		return false
	}
	lc.insert(side, ch)
	return true
}

// onlySyn reports whether side sent nothing but its SYN,ACK up to t, and no call of its own has the
// connection. The kernel need have no socket for it then: a SYN cookie keeps nothing (tcp_syncookies), and
// while the accept queue is full the other end's ACK is dropped. got is what that ACK suggests.
func (lc *linked) onlySyn(side analyze.Side, got event.TCPState, t event.Time) bool {
	if got != event.SynRecv && got != event.Established || len(lc.callsBy(side)) > 0 {
		return false
	}
	syns := uint64(0)
	for _, s := range lc.Segments {
		switch {
		case s.From != side || s.Time > t:
		case s.Flags&(event.SYN|event.ACK) != event.SYN|event.ACK:
			return false
		default:
			syns++
		}
	}
	return syns > 0 && (t < lc.End || syns == *lc.Packets.Of(side))
}

// endsOwnStream: close() and shutdown() change the state at once, also while the FIN waits
// behind data (tcp_close_state in net/ipv4/tcp.c).
func endsOwnStream(from, to event.TCPState) bool {
	return from == event.Established && to == event.FinWait1 || from == event.CloseWait && to == event.LastAck
}

// tookFin: a FIN that was sent again is not presumed to have arrived, but it had.
func tookFin(from, to event.TCPState) bool {
	return from == event.Established && to == event.CloseWait ||
		from == event.FinWait1 && to == event.Closing || from == event.FinWait2 && to == event.TimeWait
}

// finQueued returns when side ended its stream, 0 where its FIN had left or no call did.
func (lc *linked) finQueued(side analyze.Side, s *event.Sample) event.Time {
	enders := lc.callsOf(writeEnders, side)
	if enders.begun(s.Time) == 0 || lc.segmentsOf(finSegments, side).lastUpTo(s.Time, nil) != nil {
		return 0
	}
	return enders.calls[0].Start
}

// forgotten returns when the kernel gave the connection up in silence: in FIN_WAIT2 after
// tcp_fin_timeout, when retransmissions stayed unanswered, or when TIME_WAIT was over. 0 means
// that none of these can be.
func (lc *linked) forgotten(side analyze.Side, s *event.Sample, got event.TCPState) event.Time {
	for i := range lc.TimeWait {
		if tw := &lc.TimeWait[i]; got == event.TimeWait && tw.Holder == side && tw.Until <= s.Time {
			return tw.Until
		}
	}
	if got == event.TimeWait {
		return 0
	}
	closings := lc.callsOf(lastCloses, side)
	for _, c := range lc.callsOf(timeouts, side).calls {
		if c.Start <= s.Time && c.End <= s.Time {
			if k := closings.before(c); k != nil {
				return s.Time
			}
			return c.End
		}
	}
	if closings.begun(s.Time) > 0 {
		return s.Time
	}
	return 0
}

// insert adds a change that the wire did not show, and takes out what it makes impossible.
func (lc *linked) insert(side analyze.Side, ch analyze.StateChange) {
	all := lc.States.Of(side)
	at, _ := slices.BinarySearchFunc(*all, ch.Time, func(c analyze.StateChange, t event.Time) int {
		if c.Time <= t {
			return -1
		}
		return 1
	})
	from := ch.State
	rest := slices.DeleteFunc(slices.Clone((*all)[at:]), func(c analyze.StateChange) bool {
		possible := from.MayBecome(c.State)
		if possible {
			from = c.State
		}
		return !possible
	})
	*all = append(append((*all)[:at:at], ch), rest...)
}
