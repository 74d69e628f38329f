package tcp

import "github.com/closecap/closecap/analyze/event"

// IsSteady reports whether fl is in the middle of its life with nothing unusual about it, so
// that FastPath may follow what is usual there: data in order, and acknowledgements of it.
func (fl *Flow) IsSteady() bool {
	c, s := &fl.Dir[Client], &fl.Dir[Server]
	return c.State == event.Established && s.State == event.Established &&
		!fl.opt.AllSegments && c.isSteady() && s.isSteady() &&
		(fl.Handshake || fl.Midstream && !c.SynSent && !s.SynSent) &&
		fl.Warnings&WarnClock == 0 && fl.Reset.Frame == 0 && fl.lastRST == nil && fl.doubt == nil && fl.held == nil
}

func (d *Direction) isSteady() bool {
	return d.Sent && d.FinEnd == 0 && d.Holes == 0 && d.provoked == 0 &&
		d.Tries == 0 && d.keepalives == 0 && !d.renumbered()
}

// FastPath follows a segment of a steady flow as Follow does, in a fraction of the time: in-order
// data and plain acknowledgements, which are most of any capture. It reports false, and has
// done nothing, when s is something else. All in all that takes 13 % off the instructions, and
// off the CPU time 3 % with 200 connections open and 9 % with 20,000.
func (fl *Flow) FastPath(e End, s *event.Segment) bool {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	ahead := s.Ack.Diff(p.nxtAbs)
	if s.Flags&^event.PSH != event.ACK || s.Has&unusual != 0 || s.Time < fl.Last ||
		s.Seq != d.nxtAbs || ahead > 0 || s.Options.TLSAlert || s.Window == 0 || p.window == 0 {
		return false
	}
	if s.Len == 0 && d.Nxt == 1 && p.Nxt == 1 {
		return false // the handshake's last ACK, which is listed
	}
	w := sight(s)
	if s.Len == 0 && d.duplicateOf(s, &w) != 0 {
		return false
	}
	d.remember(&w)

	fl.Last, fl.LastFrame = s.Time, s.Frame
	fl.Omitted++
	d.Packets++
	d.fingerprint(s)
	d.lastAck = p.Nxt + int64(ahead)
	p.Una = max(p.Una, d.lastAck)
	if s.Len == 0 {
		fl.Filtered = false
	} else {
		n := int64(s.Len)
		d.Bytes += uint64(n)
		d.dataFrame, d.datEnd, d.dataLen = s.Frame, d.Nxt+n, s.Len
		d.advance(d.Nxt+n, s.End())
		fl.speak(e, s)
	}
	return true
}

// unusual is what a segment must not be for FastPath.
const unusual = event.Truncated | event.OptionsTruncated | event.Fragmented | event.BadChecksum | event.BadIPChecksum |
	event.HasMultipath
