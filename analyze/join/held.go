package join

import (
	"fmt"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// ringGap is more than the kernel takes to end the requests of a process that has ended: a worker of its own
// does that (io_ring_exit_work in io_uring/io_uring.c).
const ringGap = time.Second

// heldAfter reports whether the kernel said after c, a successful close, that its side's stream had not
// ended: something that is no descriptor holds the socket then, as a pending io_uring request does.
func (lc *linked) heldAfter(c *analyze.Call) bool {
	if c.Kind() != event.CloseCall || len(c.Holders) > 0 || lc.Multipath { // its subflows stay open until both streams have ended
		return false
	}
	for i := range c.Samples {
		if s := &c.Samples[i]; sampleSide(lc.Connection, s) == c.Side {
			return s.State == event.Established || s.State == event.CloseWait
		}
	}
	return false
}

// letGo finds what sent the FIN s of a socket that was open after first, its last close.
func (l *linker) letGo(c *linked, s *analyze.Segment, first *analyze.Call) analyze.Root {
	open := fmt.Sprintf("#%d %s() had returned with the socket still open: ", first.ID, first.Name)
	unknown := func(why string) analyze.Root { return analyze.Root{Kind: analyze.RootUnknown, Why: open + why} }
	enders := c.callsOf(ringEnds, s.From)
	if n := enders.begun(s.Time); n > 0 {
		if k := enders.calls[n-1]; k.End == 0 || s.Time.Sub(k.End) < ringGap {
			r := callRoot(k, open+"a request in its process's io_uring held it until the process had ended")
			r.Confidence = analyze.Inferred
			return r
		}
	}
	task := l.told.fin(c, s.From)
	switch {
	case first.Ring && task.Does() && task.PID == first.PID:
		r := unknown("a request in the io_uring of " + first.Actor + " held it, and let it go here")
		r.Confidence = analyze.InKernel
		return r
	case first.Ring:
		return unknown("a request in the io_uring of " + first.Actor + " probably held it")
	}
	return unknown("what held it then was not recorded")
}

// unrecordedEnd tells, where the kernel does, what sent the FIN s of an end that no recorded call closed.
func (l *linker) unrecordedEnd(c *linked, s *analyze.Segment) analyze.Root {
	r := analyze.Root{Kind: analyze.RootUnknown, Why: "no recorded call ended this side's stream before it"}
	if task := l.told.fin(c, s.From); task.Does() && task.Call == "io_uring" {
		r.Why = fmt.Sprintf("%s[%d] ended it through io_uring, whose requests are not recorded", task.Comm, task.PID)
		r.Confidence = analyze.InKernel
	}
	return r
}
