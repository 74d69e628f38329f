// Package join brings application calls, packets and kernel states together: which call caused
// which segment, which segments made a call return, and whether what was expected came out.
package join

import (
	"cmp"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows"
)

// Join says what a recording means: it follows the connections, links every segment to the
// call, kernel answer or timer that sent it, says what made each call return, and evaluates
// the expectations. Times in rec must come from one clock.
func Join(rec *event.Recording, opt analyze.Options) *analyze.Result {
	opt.AllSegments = true
	opt.SameHost = opt.SameHost || rec.Run.SameHost
	res := &analyze.Result{
		Schema:   analyze.Schema,
		Tool:     rec.Run.Tool,
		Scenario: rec.Run.Scenario,
		Remember: rec.Run.Remember,
		Explains: rec.Run.Explains,
		Counters: rec.Run.Counters,
		Warnings: slices.Clone(rec.Run.Warnings),
	}
	if rec.Run.Kernel != "" {
		res.Kernel = &analyze.Kernel{Release: rec.Run.Kernel, Netns: rec.Run.Netns}
	}

	f := flows.NewFollower(opt, func(c *analyze.Connection) { res.Connections = append(res.Connections, c) })
	for i := range rec.Segments {
		f.Segment(&rec.Segments[i])
	}
	f.Finish()
	slices.SortFunc(res.Connections, func(a, b *analyze.Connection) int { return cmp.Compare(a.ID, b.ID) })

	st := f.Stats()
	res.Capture = analyze.Capture{
		Source:    rec.Run.Source,
		LinkType:  rec.Run.LinkType,
		Packets:   max(uint64(len(rec.Packets)), st.Segments),
		Segments:  st.Segments,
		Dropped:   rec.Run.Dropped,
		Truncated: rec.Run.Truncated || st.Truncated > 0,
		Evicted:   st.Evicted,
		Hurried:   st.Hurried,
		First:     st.First,
		Last:      st.Last,
	}

	// From here on rec is not touched: who does not keep it gets the memory of its segments back.
	calls, expectations := rec.Calls, rec.Expectations
	if len(calls) > 0 {
		link(res, calls, departures(rec), listen(rec))
	}
	if res.Capture.Dropped > 0 {
		taint(res, res.Capture.Dropped)
	}
	Check(res, expectations)
	return res
}
