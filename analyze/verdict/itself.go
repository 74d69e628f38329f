package verdict

import (
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/tcp"
)

// endedItself decides how the connection of a socket to itself ended. That socket alone can have ended it.
func (fl judged) endedItself(v *verdict) {
	d, rst := &fl.Dir[tcp.Client], &fl.Reset
	v.first, v.ending, v.closer, v.confidence = tcp.Client, analyze.Open, analyze.Client, analyze.Observed
	switch {
	case rst.Frame != 0 && rst.Class == tcp.LiveReset && !rst.Other:
		v.ending = analyze.WasReset
		v.sent(rst.Frame, "RST", analyze.Client)
	case rst.Frame != 0: // who made it is not seen
		v.ending, v.closer, v.confidence = analyze.WasReset, analyze.NoSide, analyze.Inferred
		v.sent(rst.Frame, "RST", analyze.Client)
	case d.FinAckFrame != 0:
		v.ending = analyze.Graceful
		v.sent(d.FinFrame, "FIN", analyze.Client)
		v.because("frame %d acknowledges it", d.FinAckFrame)
	case d.FinEnd != 0:
		v.sent(d.FinFrame, "FIN", analyze.Client)
		v.unacked(analyze.Client, "frame %d was not acknowledged in the %v until %s", d.FinFrame, fl.now.Sub(d.FinTime), fl.theEnd())
	case d.Packets == 1 && !d.SynSent:
		v.withhold()
		v.because("one segment alone was captured")
	default:
		v.closer = analyze.NoSide
		v.because("%s until frame %d", fl.noEnd(), fl.LastFrame)
	}
	if v.closer != analyze.NoSide {
		v.closerSure = analyze.Observed
	}
}
