package lab

import (
	"slices"
	"time"

	"closecap/analyze/event"
)

// Options say how a script is run. The zero value runs it on IPv4 in the host's namespace,
// on a free port, for at most 30 seconds.
type Options struct {
	Port     uint16        // the server's; 0 picks one
	IPv6     bool          // over ::1
	Timeout  time.Duration // 0 means 30 s
	Private  bool          // the process is in a network namespace of its own
	Progress func(line string)
}

const defaultTimeout = 30 * time.Second

// numberRows gives calls and packets their common numbers in time order: a call stands where it
// began, before a packet of the same nanosecond. place gets each call's former ID.
func numberRows(rec *event.Recording, place map[int]int) {
	slices.SortStableFunc(rec.Calls, func(a, b event.Call) int { return compareTime(a.Start, b.Start) })
	slices.SortStableFunc(rec.Packets, func(a, b event.Packet) int { return compareTime(a.Time, b.Time) })
	row, calls := 0, rec.Calls
	for i := range rec.Packets {
		p := &rec.Packets[i]
		for len(calls) > 0 && calls[0].Start <= p.Time {
			row++
			place[calls[0].ID], calls[0].ID, calls = row, row, calls[1:]
		}
		row++
		p.Frame = uint64(row)
	}
	for i := range calls {
		row++
		place[calls[i].ID], calls[i].ID = row, row
	}
}

func compareTime(a, b event.Time) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
