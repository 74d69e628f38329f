package analyze

import (
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// agree: no field of a connection says what another denies.
func (v *validator) agree(c *Connection) {
	for _, p := range c.Candidates {
		switch p.Claim {
		case ClaimCloser:
			v.check(c.Closer == NoSide, "closed by %s, and perhaps by %s", c.Closer, p.Value)
		case ClaimCause:
			r := c.Reset
			v.check(r != nil, "perhaps %s, and no reset", p.Value)
			v.check(r == nil || (r.Confidence == Unknown || r.Confidence == Inferred) && string(r.Cause) != p.Value, "%s, %s, and perhaps %s", r.Cause, r.Confidence, p.Value)
		default:
			v.fail("connection %d: perhaps %s %s", c.ID, p.Claim, p.Value)
		}
	}
	if h := c.HalfClose; h != nil {
		v.check(h.By == c.Closer, "half-close by %s, closed by %q", h.By, c.Closer)
		v.check(c.Ending != WasRefused, "half-close of what was refused")
	}
	if i := c.IdleClose; i != nil {
		v.check(c.Reset != nil && c.Reset.Cause == DataAfterClose && c.Reset.By == i.By, "idle close by %s with reset %+v", i.By, c.Reset)
	}
	for _, side := range []Side{Client, Server} {
		waits := slices.ContainsFunc(c.TimeWait, func(w TimeWait) bool { return w.Holder == side })
		in := slices.ContainsFunc(*c.States.Of(side), func(ch StateChange) bool { return ch.State == event.TimeWait })
		v.check(waits == in, "TIME_WAIT of the %s: %v, in its states: %v", side, waits, in)
		for l := range c.Losses() {
			v.check(l.From != side || *c.InFlight.Of(side) == 0 || l.Unacked+l.Unread+l.AfterClose+l.MayBe == 0,
				"of the %s's bytes %d are in flight, and %+v lost", side, *c.InFlight.Of(side), *l)
		}
	}
	for _, s := range c.Segments {
		if r := c.Reset; r != nil && s.Frame == r.Frame {
			v.check(s.From == r.By && s.Flags.Has(event.RST), "frame %d of the %s, %v, reset by %s", s.Frame, s.From, s.Flags, r.By)
		}
	}
}
