package join

import (
	"fmt"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
)

// clockGap is more than what the clocks of calls and of the kernel's events lie apart.
const clockGap = time.Millisecond

// tells holds the root of the FIN or RST at place i to its kernel's word: the call in which the end's state
// changed, or the segment that drew the RST. Where calls and times suggest another, the kernel's counts: an answer
// may leave while a call runs that has nothing to do with it.
func (l *linker) tells(lc *linked, i int) {
	s := lc.Segments[i]
	if l.told == nil || s.Retransmits != 0 {
		return
	}
	var told analyze.Root
	switch s.Kind {
	case analyze.KindFin:
		told = l.finTold(lc, s)
	case analyze.KindRst:
		told = l.rstTold(lc, i)
	}
	if told.Kind == "" {
		return
	}
	r := &s.Root
	switch {
	case r.Kind == analyze.RootCall && told.Kind == analyze.RootCall && (r.Call == told.Call || slices.Contains(r.Calls, told.Call)),
		r.Kind == analyze.RootAnswer && told.Kind == analyze.RootAnswer && r.Frame == told.Frame:
		r.Confidence = told.Confidence
		return
	case r.Kind == analyze.RootCall && told.Kind == analyze.RootRemote:
		return // the kernel's task made no recorded call then, and so contradicts none
	case told.Kind == analyze.RootCall && (r.Kind == analyze.RootCall || r.Kind == analyze.RootAnswer):
		lc.Warnings = append(lc.Warnings, fmt.Sprintf("packets and calls say that %s led to frame %d, the kernel says %s", l.rootName(r), s.Frame, l.rootName(&told)))
	}
	if *r = told; s.Kind == analyze.KindFin {
		*r = withData(lc, s, told)
	}
}

// finTold is the root of a FIN: where it left later, its cause is the call that queued it all the same.
func (l *linker) finTold(lc *linked, s *analyze.Segment) analyze.Root {
	e := l.told.end(lc, s.From)
	if e == nil {
		return analyze.Root{}
	}
	t, at := endings.FinBy(e)
	return l.toldCall(lc, s.From, t, at, lc.callsOf(writeEnders, s.From))
}

// rstTold is the root of an RST: its sender's call, the segment that it answers, or a timer.
func (l *linker) rstTold(lc *linked, i int) analyze.Root {
	s := lc.Segments[i]
	k := l.told.resets[s.Frame]
	if k == nil {
		return analyze.Root{}
	}
	if k.Offender != nil {
		if a := lc.segment(l.told.drew[s.Frame], i); a != nil && a.From != s.From {
			return l.answer(a, analyze.InKernel)
		}
		return analyze.Root{}
	}
	if t := endings.ResetBy(k, l.told.endOf(lc, s.From, k)); t != nil {
		return l.toldCall(lc, s.From, t, k.Time, lc.callsOf(resetters, s.From), l.listens[lc.portOf(s.From)])
	}
	if k.Reason == "TCP_KEEPALIVE_TIMEOUT" {
		return analyze.Root{Kind: analyze.RootTimer, Timer: "keepalive", Confidence: analyze.InKernel}
	}
	return analyze.Root{}
}

// toldCall is the call of side's that the kernel names: of the lists given the nearest of that thread, else
// whatever it was in. Where it made none that was recorded, the root is another process.
func (l *linker) toldCall(lc *linked, side analyze.Side, t *event.Task, at event.Time, lists ...*callList) analyze.Root {
	if t == nil {
		return analyze.Root{}
	}
	its := func(k *analyze.Call) bool {
		return k.TID == t.TID || k.PID == t.PID && k.EndsProcess()
	}
	var found *analyze.Call
	best := clockGap
	for _, list := range lists {
		if list == nil {
			continue
		}
		for _, k := range list.calls {
			if off := apart(k, at); off <= best && its(k) && (off < best || found == nil) {
				found, best = k, off
			}
		}
	}
	if found == nil {
		found = lc.callsOf(anyCalls, side).lastAt(at, its)
	}
	if found == nil {
		return analyze.Root{Kind: analyze.RootRemote, Confidence: analyze.InKernel, Why: endings.TaskName(t)}
	}
	r := callRoot(found, "")
	r.Confidence = analyze.InKernel
	return r
}

// apart returns how far t lies outside the call, 0 within.
func apart(c *analyze.Call, t event.Time) time.Duration {
	switch {
	case t < c.Start:
		return c.Start.Sub(t)
	case t > lastMoment(c):
		return t.Sub(c.End)
	}
	return 0
}

// rootName names what a warning speaks of.
func (l *linker) rootName(r *analyze.Root) string {
	if c := l.calls.get(r.Call); c != nil && r.Kind == analyze.RootCall {
		return fmt.Sprintf("#%d %s()", c.ID, c.Name)
	}
	if r.Kind == analyze.RootAnswer {
		return fmt.Sprintf("frame %d", r.Frame)
	}
	return "a " + r.Timer + " timer"
}
