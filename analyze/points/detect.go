package points

import "github.com/closecap/closecap/analyze/event"

// enoughAlike is how many packets two captures must show alike to be taken for two points of the same
// connections, and enoughSides how many a router must have handed on.
const (
	enoughAlike = 2
	enoughSides = 2
)

// telling reports whether s is a packet that no other looks like: it begins a connection, or has data.
func telling(s *event.Segment) bool { return s.Flags&event.SYN != 0 || s.Len > 0 }

// HaveSides reports whether segments hold packets that came into the capturing host and left it again.
func HaveSides(segments []event.Segment) bool {
	came := map[identity]event.Time{}
	n := 0
	for i := range segments {
		s := &segments[i]
		if !telling(s) {
			continue
		}
		id := identify(s, 0)
		switch {
		case s.Has&event.Incoming != 0:
			came[id] = s.Time
		case s.Has&event.Outgoing != 0:
			if at, ok := came[id]; ok && at <= s.Time && s.Time-at < event.Time(1e9) {
				if n++; n == enoughSides {
					return true
				}
			}
		}
	}
	return false
}

// Relation is what two captures have to do with each other.
type Relation uint8

// The relations.
const (
	Strangers Relation = iota // they show no packet alike
	Overlap                   // they show packets that are the same to the nanosecond: parts of one capture
	TwoPoints                 // they show the same packets at different times
)

// Relate compares two captures.
func Relate(a, b []event.Segment) Relation {
	of := map[identity]*event.Segment{}
	for i := range a {
		if s := &a[i]; telling(s) {
			of[identify(s, 0)] = s
		}
	}
	alike, same := 0, 0
	for i := range b {
		s := &b[i]
		if !telling(s) {
			continue
		}
		switch o := of[identify(s, 0)]; {
		case o == nil:
		case o.Time == s.Time:
			same++
		default:
			alike++
		}
	}
	switch {
	case alike > same && alike >= enoughAlike:
		return TwoPoints
	case same > 0:
		return Overlap
	}
	return Strangers
}
