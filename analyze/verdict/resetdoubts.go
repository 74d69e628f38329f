package verdict

import (
	"fmt"

	"github.com/closecap/closecap/analyze/tcp"
)

// resetDoubts are the rules for "the RST of e ended the connection". A kernel without a socket answers
// so long after a graceful end, too.
var resetDoubts = []rule{
	{func(fl judged, _ tcp.End) bool {
		c, s := &fl.Dir[tcp.Client], &fl.Dir[tcp.Server]
		return c.FinEnd != 0 && s.FinEnd != 0 && c.Holes+s.Holes > 0 && fl.Reset.Time.Sub(max(c.FinTime, s.FinTime)) >= tcp.Resend &&
			!fl.finNotTaken(tcp.Client) && !fl.finNotTaken(tcp.Server)
	}, func(fl judged, _ tcp.End) string {
		return fmt.Sprintf("not all was captured: whether the connection was over before frame %d is not known", fl.Reset.Frame)
	}},
	{func(fl judged, e tcp.End) bool {
		rst := &fl.Reset
		return fl.Dir[e].FinEnd != 0 && fl.Dir[e.Other()].FinEnd != 0 && rst.Class == tcp.NobodyReset &&
			rst.AnsweredLen == 0 && (rst.Answered != tcp.KindFin || rst.Trigger < fl.Dir[e].FinFrame)
	}, func(fl judged, _ tcp.End) string {
		return fmt.Sprintf("whether the connection was over before frame %d is not known: an ACK of a FIN may be missing", fl.Reset.Frame)
	}},
	{func(fl judged, e tcp.End) bool {
		d, rst := &fl.Dir[e], &fl.Reset
		return d.FinEnd != 0 && !d.FinLost && d.FinAckFrame == 0 && rst.Class == tcp.NobodyReset && rst.Trigger == 0 && fl.answerIsLate(e) &&
			!fl.filtered()
	}, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("neither the ACK of frame %d was captured nor what drew frame %d: whether the connection was over by then is not known",
			fl.Dir[e].FinFrame, fl.Reset.Frame)
	}},
	{func(fl judged, e tcp.End) bool { return fl.Dir[e].DrewUnseen != 0 && fl.Dir[e].FinEnd == 0 }, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("what drew frame %d was not captured: it may have been a FIN of the %s", fl.Dir[e].DrewUnseen, e.Side())
	}},
	{func(fl judged, _ tcp.End) bool {
		return fl.Reset.Class == tcp.NobodyReset && fl.Reset.AnsweredLen == 0 && !fl.filtered() && fl.lacksAny()
	}, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("frame %d came of a kernel without a socket, and not all was captured: an RST of the %s before it may be missing",
			fl.Reset.Frame, e.Other().Side())
	}},
	{func(fl judged, e tcp.End) bool {
		return fl.Dir[e.Other()].Packets == 0 && (fl.Reset.Talks != 0 || fl.Reset.Class == tcp.NobodyReset)
	}, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("nothing of the %s was captured: whether frame %d ended anything is not known", e.Other().Side(), fl.Reset.Frame)
	}},
	{func(fl judged, e tcp.End) bool {
		rst, d, p := &fl.Reset, &fl.Dir[e], &fl.Dir[e.Other()]
		return rst.DrawnByNoData() && rst.Talks == 0 && !rst.Breaks.Foreign() && d.FinEnd == 0 && (d.Bytes+p.Bytes > 0 || p.FinEnd != 0)
	}, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("frame %d came of a kernel without a socket: an RST of the %s before it may be missing",
			fl.Reset.Frame, e.Other().Side())
	}},
	{func(fl judged, e tcp.End) bool { return fl.onlyReset(e.Other()) != 0 }, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("of the %s only the RST of frame %d was captured: whether that ended the connection is not known",
			e.Other().Side(), fl.onlyReset(e.Other()))
	}},
	{func(fl judged, e tcp.End) bool {
		rst := &fl.Reset
		return rst.Refused || rst.Class == tcp.LiveReset || rst.AnsweredLen > 0 && fl.Dir[e.Other()].FinEnd == 0 && fl.alive(e)
	}, nil},
	{func(fl judged, e tcp.End) bool { return fl.Reset.Overtaken && fl.Dir[e].FinEnd == 0 }, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("frame %d, which drew frame %d, was sent before others that came first: an RST of the %s behind it may be missing",
			fl.Reset.Trigger, fl.Reset.Frame, e.Other().Side())
	}},
	{func(fl judged, e tcp.End) bool { return !fl.alive(e) && fl.Dir[e].FinEnd == 0 }, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("nothing captured before frame %d shows that the %s knew of the connection", fl.Reset.Frame, e.Side())
	}},
	{func(fl judged, _ tcp.End) bool { return fl.Reset.Presumed }, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("frame %d lies beyond what was captured of the %s: it may have ended before", fl.Reset.Frame, e.Side())
	}},
	{func(fl judged, e tcp.End) bool {
		return fl.Dir[e].FinEnd != 0 && !fl.alive(e.Other())
	}, func(fl judged, e tcp.End) string { return fl.mayHaveEnded(fl.Reset.Frame, e.Other()) }},
	{ackedUnseen,
		func(fl judged, e tcp.End) string { return fl.mayHaveAcked(fl.Dir[e].FinFrame, e.Other()) }},
	{func(fl judged, e tcp.End) bool { return fl.sentMore(e.Other()) }, func(fl judged, e tcp.End) string {
		return fmt.Sprintf("the %s sent more than was captured: it may have ended before", e.Other().Side())
	}},
}

// onlyReset returns the frame of an RST that e sent before the one that ended the connection, where nothing else of e
// was captured.
func (fl judged) onlyReset(e tcp.End) uint64 {
	for i := range fl.Listed {
		if q := &fl.Listed[i]; q.From == e && !fl.Dir[e].Sent && q.Frame < fl.Reset.Frame {
			return q.Frame
		}
	}
	return 0
}
