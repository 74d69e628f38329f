package tcp

import (
	"cmp"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// fewRoundTrips is how many round trips after a segment the RST that answers it may come.
const fewRoundTrips = 3

// atOnce is how long a kernel takes to answer.
const atOnce = 300 * time.Microsecond

// ackAnswered is how long, a few round trips aside, after an ACK the RST may come that it drew, on one host.
const ackAnswered = 5 * time.Millisecond

// answerTime is how long after a segment the RST that answers it may come.
func (fl *Flow) answerTime() time.Duration {
	if fl.rtt == 0 {
		return time.Second
	}
	return fewRoundTrips*time.Duration(fl.rtt) + 200*time.Millisecond
}

// flight is within what time segments may have been on their way together.
func (fl *Flow) flight() time.Duration {
	if fl.rtt == 0 {
		return fl.resetGrace()
	}
	return fewRoundTrips * time.Duration(fl.rtt)
}

// reordering is by how much the segments of an end may overtake each other.
func (fl *Flow) reordering() time.Duration {
	if fl.rtt == 0 {
		return fl.resetGrace()
	}
	if fl.sameHost {
		return minCrossing
	}
	return max(minCrossing, fewRoundTrips*time.Duration(fl.rtt))
}

// offender returns the segment that e's RST may answer: the oldest of the last few round trips, else
// the newest. nil means that it answers none.
func (fl *Flow) offender(e End, r *Listed, class resetClass) *Listed {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	switch class {
	case LiveReset:
		return fl.lateFor(e, r)
	case synReset:
		if p.SynFrame != 0 && r.Ack == p.Nxt {
			return &Listed{Frame: fl.newestSyn(e.Other()), Kind: KindSyn}
		}
	}
	var drew, soon *Listed
	mixed, answered, trip := false, uint64(0), fl.TripTo(e)
	few := fl.flight()
	for i := len(fl.Listed) - 1; i >= max(0, len(fl.Listed)-lookBack); i-- {
		q := &fl.Listed[i]
		if q.From == e && q.Flags&event.RST != 0 {
			answered = max(answered, q.Answers)
		}
		if q.From == e || q.Flags&event.RST != 0 || q.Ignored == SameFrame {
			continue
		}
		if r.Time.Sub(q.Time) > fl.answerTime() || q.Frame <= answered {
			break // the first RST answers the first segment, the next the next
		}
		if q.Flags&event.ACK != 0 && q.Ack == r.Seq && (q.End() > p.Una || q.End() == q.Seq) {
			if drew == nil && soon == nil && q.Repeats != 0 && trip > minCrossing && r.Time.Sub(q.Time) < trip/2 {
				soon = q // no answer to it can be here yet: the way takes longer than it did, and what it repeats drew this
				continue
			}
			mixed = mixed || drew != nil && (q.Length > 0) != (drew.Length > 0)
			if drew == nil || q.End() > q.Seq && (r.Time.Sub(q.Time) <= few || soon != nil) {
				drew = q
			}
			continue
		}
		if d.FinEnd != 0 && q.Ack == d.FinEnd && r.Seq == d.FinEnd-1 {
			continue // it was sent before e's FIN came in
		}
		break
	}
	drew = cmp.Or(drew, soon)
	if drew != nil && drew.Kind == KindAck && fl.sameHost && fl.rtt != 0 && r.Time.Sub(drew.Time) > few+ackAnswered {
		drew = nil // what drew it was not captured: a firewall answers before a segment leaves
	}
	if drew != nil {
		found := *drew
		found.Mixed = mixed
		return &found
	}
	if p.lastAck == r.Seq && p.dataFrame > answered && p.datEnd > p.Una && r.Time.Sub(p.LastTime) <= fl.answerTime() {
		return &Listed{Frame: p.dataFrame, Kind: KindData, Length: p.dataLen, Seq: p.dataSeq()}
	}
	f := &d.AtFin
	if before := d.FinFrame - uint64(f.DataBefore); f.DataBefore != 0 && before > answered && r.Seq == d.FinEnd-1 && f.PeerNxt > p.Una &&
		r.Time.Sub(f.LastOfPeer) <= fl.answerTime() {
		return &Listed{Frame: before, Kind: KindData, Length: uint32(f.PeerNxt - p.Una), Seq: p.Una}
	}
	return nil
}

// lateFor returns the data that e's R. acknowledges when they came after e's FIN and were acknowledged
// by nothing else: Windows answers so what comes for a closed socket.
func (fl *Flow) lateFor(e End, r *Listed) *Listed {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	if d.FinEnd == 0 || r.Window != 0 || d.window == 0 || r.Ack <= p.Una {
		return nil
	}
	for i := len(fl.Listed) - 1; i >= max(0, len(fl.Listed)-lookBack); i-- {
		q := &fl.Listed[i]
		if q.Frame < d.FinFrame || r.Time.Sub(q.Time) > fl.answerTime() {
			break
		}
		if q.From != e && q.Length > 0 && q.End() == r.Ack {
			return q
		}
	}
	return nil
}

// AnswersAny reports whether r is a kernel's answer to a segment that no socket took.
func (r *Reset) AnswersAny() bool { return r.Trigger != 0 && r.Class != synReset }

// DrawnByNoData reports whether r is a kernel's answer without a socket, and no captured data or FIN drew
// it. What its sender did to its socket may be missing then, or what its peer did.
func (r *Reset) DrawnByNoData() bool {
	return r.Class == NobodyReset && (r.Trigger == 0 || r.Answered == KindAck) && !r.Restarted
}

// ProbedInVain reports whether r is that of a keep-alive timer: it follows unanswered keep-alives in
// their own interval (tcp_keepalive_timer).
func (r *Reset) ProbedInVain() bool {
	if r.Keepalives == 0 || r.probed[0] == 0 { // the answer to a single one may be missing
		return false
	}
	last := r.Time.Sub(r.probed[1])
	interval := r.probed[1].Sub(r.probed[0])
	return last > interval/2 && last < interval*3/2
}

// EnoughRepeats is how often data must have been sent again for its kernel to give up.
const EnoughRepeats = 3

// GaveUp reports whether r comes instead of the next retransmission: after several, each of which waited
// twice as long as the one before (RFC 6298 5.5), by a minute at least.
func (r *Reset) GaveUp() bool {
	last, interval := r.Time.Sub(r.probed[1]), r.probed[1].Sub(r.probed[0])
	if r.Keepalives > 0 || r.repeats < EnoughRepeats {
		return false
	}
	return last > interval*3/2 && last < interval*5/2 || interval >= time.Minute && last > interval*3/4 && last < interval*3/2
}

// AtOnce reports whether fl's RST followed what came at t without room for another cause: in a round
// trip or so.
func (fl *Flow) AtOnce(t event.Time) bool {
	return fl.rtt > 0 && fl.Reset.Time.Sub(t) <= 2*time.Duration(fl.rtt)
}

// Orphaned reports whether the RST's sender had a socket at the moment when it answered as if it
// had none: a timer had just sent its data again, which what drew the RST acknowledges. Only an
// application that has closed lets its kernel answer data so (tcp_rcv_state_process), and at once: what
// comes later may have been drawn by what was not captured, behind an abort that was not either.
func (fl *Flow) Orphaned() bool {
	drew := fl.find(fl.Reset.Trigger)
	if drew == nil || drew.Answers == 0 {
		return false
	}
	own := fl.find(drew.Answers)
	if own == nil || own.Length == 0 || own.From != fl.Reset.By || fl.Reset.Time.Sub(drew.Time) > 2*fl.TripTo(own.From)+atOnce {
		return false
	}
	repeated := own.Repeats != 0 || own.Again
	for i := range fl.Listed {
		q := &fl.Listed[i]
		repeated = repeated || q.From == own.From && q.Repeats == own.Frame && q.Frame < drew.Frame
	}
	return repeated
}
