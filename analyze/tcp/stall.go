package tcp

import "github.com/closecap/closecap/analyze/event"

// stall is the time in which an end announced window 0: its kernel had no room, since its application
// did not read.
type stall struct {
	since, until event.Time // until is 0 while it lasts; both are 0 where there was none
}

func (s stall) lasted(now event.Time) int64 {
	if s.since == 0 {
		return 0
	}
	if s.until == 0 {
		return int64(now - s.since)
	}
	return int64(s.until - s.since)
}

// announce notes a window that a segment of d announces; one that was 0 opens, or becomes 0.
func (d *Direction) announce(s *event.Segment) {
	switch {
	case s.Flags&event.SYN != 0:
	case s.Window == 0 && d.stalls[0].since == 0:
		d.stalls[0].since = s.Time
	case s.Window != 0 && d.stalls[0].since != 0:
		d.stalls[0].until = s.Time
		if d.stalls[0].lasted(0) > d.stalls[1].lasted(0) {
			d.stalls[1] = d.stalls[0]
		}
		d.stalls[0] = stall{}
	}
}

// Stalled returns the longest time in which an end announced window 0 before its peer's FIN or an RST;
// until is 0 where that lasted to the end.
func (fl *Flow) Stalled(e End) (since, until event.Time) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	longest := d.stalls[1]
	if last := d.stalls[0]; last.lasted(fl.Last) > longest.lasted(0) {
		longest = last
	}
	if p.FinTime != 0 && longest.since >= p.FinTime || d.FinTime != 0 && longest.since >= d.FinTime {
		return 0, 0 // nothing more was to come, or nobody was to read it
	}
	return longest.since, longest.until
}
