package event

import (
	"cmp"
	"slices"
)

// Number gives packets and calls one numbering in time order, from 1: a call stands where it
// started, before a packet of the same instant. Segments follow their packets, expectations
// their calls. Packets must be in the order of their times; calls are sorted.
func (r *Recording) Number() {
	slices.SortStableFunc(r.Calls, func(a, b *Call) int { return cmp.Compare(a.Start, b.Start) })
	packets, calls := make(map[uint64]uint64, len(r.Packets)), make(map[int]int, len(r.Calls))
	row, waiting := 0, r.Calls
	number := func(c *Call) {
		row++
		calls[c.ID], c.ID = row, row
	}
	for i := range r.Packets {
		p := &r.Packets[i]
		for len(waiting) > 0 && waiting[0].Start <= p.Time {
			number(waiting[0])
			waiting = waiting[1:]
		}
		row++
		packets[p.Frame], p.Frame = uint64(row), uint64(row)
	}
	for _, c := range waiting {
		number(c)
	}
	for i := range r.Segments {
		r.Segments[i].Frame = packets[r.Segments[i].Frame]
	}
	for i := range r.Expectations {
		r.Expectations[i].After = calls[r.Expectations[i].After]
	}
}
