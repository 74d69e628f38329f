package report

import (
	"cmp"
	"math"
	"net/netip"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// outline is what the verdicts and pictures of a result's connections need of all of it. It is made once for all of
// them: each that looked through all calls would cost the square of their number.
type outline struct {
	result  *analyze.Result
	base    event.Time                         // what milliseconds count from, where there are calls
	calls   map[int][]*analyze.Call            // of each connection, by ID, in their order; of none: 0
	sampled []*analyze.Call                    // those of none after which the kernel told states
	bound   []*analyze.Call                    // one of each socket of none and its local port, as a listener's
	actors  map[string]analyze.Side            // at which end each stands, "" for one that stands at both
	starts  map[[2]netip.AddrPort][]event.Time // of the connections between two ends, in whichever direction
}

func outlineOf(r *analyze.Result) *outline {
	o := &outline{
		result: r, calls: r.CallsByConnection(), actors: actorSides(r),
		starts: map[[2]netip.AddrPort][]event.Time{},
	}
	if len(r.Calls) > 0 {
		o.base = baseTime(r)
	}
	type binding struct {
		socket uint64
		port   uint16
	}
	seen := map[binding]bool{}
	for _, c := range r.Calls {
		if c.Connection != 0 {
			continue
		}
		o.calls[0] = append(o.calls[0], c)
		if len(c.Samples) > 0 {
			o.sampled = append(o.sampled, c)
		}
		at := binding{c.Socket, c.Local.Port()}
		if c.Socket != 0 && c.FD >= 0 && c.Local.IsValid() && !seen[at] {
			seen[at] = true
			o.bound = append(o.bound, c)
		}
	}
	for _, calls := range o.calls {
		sortCalls(calls)
	}
	for _, c := range r.Connections {
		o.starts[bothEnds(c)] = append(o.starts[bothEnds(c)], c.Start)
	}
	return o
}

func sortCalls(calls []*analyze.Call) {
	slices.SortStableFunc(calls, func(a, b *analyze.Call) int { return cmp.Compare(a.ID, b.ID) })
}

func bothEnds(c *analyze.Connection) [2]netip.AddrPort {
	if c.Client.Compare(c.Server) < 0 {
		return [2]netip.AddrPort{c.Client, c.Server}
	}
	return [2]netip.AddrPort{c.Server, c.Client}
}

// first reports whether c is the first connection, with which the calls of none are shown.
func (o *outline) first(c *analyze.Connection) bool {
	return len(o.result.Connections) == 0 || o.result.Connections[0].ID == c.ID
}

// shown are the calls that are shown with c.
func (o *outline) shown(c *analyze.Connection) []*analyze.Call {
	if !o.first(c) {
		return o.calls[c.ID]
	}
	return inOneOrder(o.calls[c.ID], o.calls[0])
}

func inOneOrder(a, b []*analyze.Call) []*analyze.Call {
	all := slices.Concat(a, b)
	sortCalls(all)
	return all
}

// alone is the result as if c were alone in it.
func (o *outline) alone(c *analyze.Connection) *analyze.Result {
	view := *o.result
	view.Connections, view.Calls = []*analyze.Connection{c}, o.shown(c)
	return &view
}

// until is when the next connection between the ends of c began; what the kernel says of them from then on is not
// about c.
func (o *outline) until(c *analyze.Connection) event.Time {
	next := event.Time(math.MaxInt64)
	for _, start := range o.starts[bothEnds(c)] {
		if start > c.Start {
			next = min(next, start)
		}
	}
	return next
}
