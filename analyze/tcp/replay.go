package tcp

import (
	"cmp"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// Crossing segments are no evidence: what came shorter than this before a retransmission may
// have been on its way when the timer fired.
const minCrossing = time.Millisecond

// Crossed reports whether a segment of time t can have missed a retransmission at now.
func (fl *Flow) Crossed(t, now event.Time) bool {
	return now.Sub(t) <= max(minCrossing, time.Duration(fl.rtt))
}

// fact is one thing that moves a closing end: its own FIN, the ACK of it, the peer's FIN.
type fact struct {
	frame uint64
	time  event.Time
	seen  bool
	next  [event.NewSynRecv + 1]event.TCPState // by present state; unknown stays
}

var (
	afterFin = [event.NewSynRecv + 1]event.TCPState{
		event.Established: event.FinWait1, event.StateUnknown: event.FinWait1,
		event.SynRecv: event.FinWait1, event.SynSent: event.FinWait1, event.CloseWait: event.LastAck,
	}
	afterFinAck = [event.NewSynRecv + 1]event.TCPState{
		event.FinWait1: event.FinWait2, event.Closing: event.TimeWait, event.LastAck: event.Closed,
	}
	afterPeerFin = [event.NewSynRecv + 1]event.TCPState{
		event.Established: event.CloseWait, event.StateUnknown: event.CloseWait,
		event.SynRecv: event.CloseWait, event.FinWait1: event.Closing, event.FinWait2: event.TimeWait,
	}
)

// replay lists e's closing states anew from the facts that still hold, after one of them
// turned out to be none. A reset connection stays as it is.
func (fl *Flow) replay(e End) {
	if fl.Reset.Frame != 0 {
		return
	}
	d := &fl.Dir[e]
	fl.Changes = slices.DeleteFunc(fl.Changes, func(ch Change) bool { return ch.Of == e && closing(ch.State) })
	d.State = event.StateUnknown
	if i := fl.newest(e); i >= 0 {
		d.State = fl.Changes[i].State
	}
	fl.Waits[e] = Wait{}
	fl.Rearms = slices.DeleteFunc(fl.Rearms, func(r Rearm) bool { return r.Of == e })

	var facts []fact
	if d.gotFin != unproved {
		facts = append(facts, fact{d.gotFinFrame, d.gotFinTime, d.gotFinSeen, afterPeerFin})
	}
	if d.FinAckFrame != 0 {
		facts = append(facts, fact{d.FinAckFrame, d.FinAckTime, false, afterFinAck})
	}
	if d.FinEnd != 0 {
		facts = append(facts, fact{d.FinFrame, d.FinTime, true, afterFin})
	}
	if fl.Simultaneous {
		slices.Reverse(facts) // its own FIN left before it had the peer's
	}
	slices.SortStableFunc(facts, func(a, b fact) int { return cmp.Compare(a.frame, b.frame) })
	for _, x := range facts {
		if next := x.next[d.State]; next != event.StateUnknown {
			fl.enter(e, next, &event.Segment{Frame: x.frame, Time: x.time}, x.seen)
		}
	}
}

// closing reports whether a state lies behind ESTABLISHED.
func closing(st event.TCPState) bool {
	switch st {
	case event.FinWait1, event.FinWait2, event.Closing, event.TimeWait, event.CloseWait, event.LastAck, event.Closed:
		return true
	}
	return false
}
