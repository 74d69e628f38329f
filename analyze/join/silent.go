package join

import (
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// believes takes over what the kernel said of an end where the wire suggests got, if TCP changes
// so without a segment that shows it. It reports whether it did.
func (lc *linked) believes(side analyze.Side, s *event.Sample, got event.TCPState) bool {
	ch := analyze.StateChange{State: s.State, Confidence: analyze.InKernel}
	switch {
	case s.State == event.Closed:
		ch.Time = lc.forgotten(side, s, got)
	case endsOwnStream(got, s.State):
		ch.Time = lc.finQueued(side, s)
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
