package analyze

import (
	"time"

	"github.com/closecap/closecap/analyze/event"
)

const (
	// resend is when a FIN that stays unacknowledged is sent again at the latest.
	resend = 3 * time.Second
	// ackDelay is the longest an ACK of a FIN is held back on one host.
	ackDelay = 250 * time.Millisecond
)

// conclude decides, now that nothing more is expected, what was in doubt, withdraws what never was
// confirmed, and lets TIME_WAIT run out.
func (fl *flow) conclude(now event.Time) {
	if s := fl.doubt; s != nil {
		fl.doubt = nil
		e := client
		if s.Src == fl.addr[server] {
			e = server
		}
		fl.believe(e, s)
	}
	fl.believeReset()
	for e := range fl.half {
		h, p := &fl.half[e], &fl.half[end(e).other()]
		if h.gotFin == presumed && p.finAckFrame == 0 && now.Sub(p.finTime) > ackDelay && fl.rst.frame == 0 {
			fl.withdrawFin(end(e))
		}
		w := &fl.tw[e]
		if w.since != 0 && w.ended == running && now > w.until {
			w.ended = expired
		}
	}
}

// completeClose lets the states end as a graceful close does where the last segments of it
// were not captured.
func (fl *flow) completeClose(now event.Time) {
	if fl.rst.frame != 0 || fl.tw[client].since != 0 || fl.tw[server].since != 0 {
		return
	}
	a, b := &fl.half[fl.closer], &fl.half[fl.closer.other()]
	frame, at := b.finFrame, b.finTime
	if frame == 0 {
		if b.ackStepFrame <= a.finFrame {
			return
		}
		frame, at = b.ackStepFrame, a.lastTime
	}
	for _, ch := range fl.changes {
		if ch.time > at {
			frame, at = ch.frame, ch.time
		}
	}
	s := &event.Segment{Frame: frame, Time: at}
	switch a.state {
	case event.FinWait1, event.FinWait2, event.Closing:
		fl.enter(fl.closer, event.TimeWait, s, false)
	}
	if b.state == event.LastAck {
		fl.enter(fl.closer.other(), event.Closed, s, false)
	}
	if w := &fl.tw[fl.closer]; now > w.until {
		w.ended = expired
	}
}
