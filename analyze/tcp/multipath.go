package tcp

import "github.com/closecap/closecap/analyze/event"

// multipath takes in an MPTCP option of d's segment s. A SYN only offers MPTCP.
func (fl *Flow) multipath(d *Direction, s *event.Segment) {
	fl.MultipathOffered = true
	fl.Multipath = fl.Multipath || s.Flags&event.SYN == 0 || s.Flags&event.ACK != 0
	if s.Has&event.DataFin != 0 && d.DataFinFrame == 0 {
		d.DataFinFrame, d.DataFinTime = s.Frame, s.Time
	}
}
