package tcp

import (
	"time"

	"github.com/closecap/closecap/analyze/event"
)

const (
	// Resend is when a FIN that stays unacknowledged is sent again at the latest.
	Resend = 3 * time.Second
	// ackDelay is the longest an ACK of a FIN is held back on one host.
	ackDelay = 250 * time.Millisecond
)

// Conclude decides, now that nothing more is expected, what was in doubt, withdraws what never was
// confirmed, and lets TIME_WAIT run out.
func (fl *Flow) Conclude(now event.Time) {
	if s := fl.doubt; s != nil {
		fl.doubt = nil
		e := Client
		if s.Src == fl.Addr[Server] {
			e = Server
		}
		fl.believe(e, s)
	}
	fl.believeReset()
	for e := range fl.Dir {
		d, p := &fl.Dir[e], &fl.Dir[End(e).Other()]
		if d.gotFin == presumed && now.Sub(p.FinTime) > ackDelay {
			fl.withdrawFin(End(e))
		}
		fl.Waits[e].expire(now)
	}
}

// CompleteClose lets the states end as a graceful close does where the last segments of it
// were not captured.
func (fl *Flow) CompleteClose(now event.Time) {
	a, b := &fl.Dir[fl.Closer], &fl.Dir[fl.Closer.Other()]
	frame, at := b.FinFrame, b.FinTime
	if frame == 0 {
		if b.AckStepFrame <= a.FinFrame {
			return
		}
		frame, at = b.AckStepFrame, a.LastTime
	}
	for _, ch := range fl.Changes {
		if ch.Time > at {
			frame, at = ch.Frame, ch.Time
		}
	}
	s := &event.Segment{Frame: frame, Time: at}
	switch a.State {
	case event.FinWait1, event.FinWait2, event.Closing:
		fl.enter(fl.Closer, event.TimeWait, s, false)
	}
	if b.State == event.LastAck {
		fl.enter(fl.Closer.Other(), event.Closed, s, false)
	}
	fl.Waits[fl.Closer].expire(now)
}

// expire lets w run out.
func (w *Wait) expire(now event.Time) {
	if w.Ended == running && now > w.Until {
		w.Ended = expired
	}
}
