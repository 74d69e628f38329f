package verdict

import (
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

// peerWasGone reports whether e's peer had no socket for what e sent before its RST, and no end of that peer
// was captured.
func (fl judged) peerWasGone(e tcp.End) bool {
	return fl.Reset.Gone != 0 && !fl.Reset.BothReset && fl.Reset.By == e && fl.Dir[e.Other()].FinEnd == 0
}

func (fl judged) endedUnseen(e tcp.End) string {
	return fmt.Sprintf("frame %d came of a kernel without a socket: the %s had ended, and how was not captured", fl.Reset.Gone, e.Other().Side())
}

// mayHaveReset reports whether e, whose FIN came first, may have reset the connection before a frame: an RST of its
// could not be placed, or data that came for it was not answered in time.
func (fl judged) mayHaveReset(e tcp.End, frame uint64, at event.Time) bool {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	if rst := &fl.Reset; rst.Frame != 0 && rst.Frame < p.FinFrame {
		return false // that one came
	}
	late := fl.TripTo(e)*9/8 + atOnceWithin
	return slices.ContainsFunc(fl.Listed, func(r tcp.Listed) bool {
		switch {
		case r.Frame < d.FinFrame || r.Frame > frame:
			return false
		case r.From == e:
			return r.Flags&event.RST != 0
		}
		return r.End() > p.Una && at.Sub(r.Time) > late
	})
}

func (fl judged) missesReset(e tcp.End, frame uint64) string {
	return fmt.Sprintf("not all that passed between the FIN of frame %d and frame %d was captured: an RST of the %s may be missing",
		fl.Dir[e].FinFrame, frame, e.Side())
}

// unheard reports whether e reset the connection as a kernel without a socket, and what it had sent was not
// acknowledged until then: so long, that it was sent again and again, and its peer may have given up as well.
func (fl judged) unheard(e tcp.End) bool {
	return fl.Reset.Class == tcp.NobodyReset && slices.ContainsFunc(fl.Listed, func(r tcp.Listed) bool {
		return r.From == e && r.End() > fl.Dir[e].Una && fl.Reset.Time.Sub(r.Time) >= tcp.Resend
	})
}

// isLossy reports whether packets of either end are missing between others: the numbers lack some, or what comes
// takes a handshake for granted of which not all is there.
func (fl judged) isLossy() bool {
	rst := &fl.Reset
	return fl.lacksAny() || fl.Dir[tcp.Server].SynSent && !fl.Dir[tcp.Client].SynSent ||
		rst.Seq > fl.Dir[rst.By].Nxt && !fl.filtered()
}

// lacksOfOdd reports whether e's stack is none whose ways are known, and not all was captured, or not yet what answers
// its FIN: it may have sent one before, and an ACK behind that, as no kernel does.
func (fl judged) lacksOfOdd(e tcp.End) bool {
	d := &fl.Dir[e]
	cut := d.FinAckFrame == 0 && fl.now.Sub(max(d.FinTime, fl.Dir[e.Other()].FinTime)) < patience
	return fl.HasOddStack(e) && (fl.Midstream || fl.isLossy() || cut)
}
