package analyze

import (
	"fmt"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// states hands each call the kernel's view right after it. Where the states inferred from the
// wire say otherwise, it believes the kernel if that is a change which no segment shows, and
// warns if not.
func (l *linker) states(lc *linked) {
	for _, c := range l.res.Calls {
		if c.Connection != 0 && c.Connection != lc.ID {
			continue
		}
		for i := range c.Samples {
			s := &c.Samples[i]
			side := sampleSide(lc, s)
			if side == NoSide || !l.covers(lc, s.Time) {
				continue
			}
			if c.States == nil {
				c.States = map[Side]string{}
			}
			c.States[side] = s.State.String()
			if got := lc.stateAt(side, s.Time); got != s.State && !lc.believes(side, s, got) {
				lc.Warnings = append(lc.Warnings, fmt.Sprintf(
					"after #%d the kernel has the %s in %s, the wire suggests %s", c.ID, side, s.State, got))
			}
		}
	}
}

func sampleSide(lc *linked, s *event.Sample) Side {
	switch {
	case s.Local == lc.Client && s.Remote == lc.Server:
		return Client
	case s.Local == lc.Server && s.Remote == lc.Client:
		return Server
	}
	return NoSide
}

// covers reports whether t belongs to this incarnation of the 4-tuple.
func (l *linker) covers(lc *linked, t event.Time) bool {
	if t < lc.Start {
		return false
	}
	for _, next := range l.conns {
		same := next.Client == lc.Client && next.Server == lc.Server ||
			next.Client == lc.Server && next.Server == lc.Client
		if same && next.Start > lc.Start && next.Start <= t {
			return false
		}
	}
	return true
}

// stateAt returns the inferred state of side at t.
func (lc *linked) stateAt(side Side, t event.Time) event.TCPState {
	state := event.Closed
	for _, ch := range *lc.States.Of(side) {
		if ch.Time > t {
			break
		}
		state = ch.State
	}
	return state
}

// timeWait replaces the computed end of each TIME_WAIT by what the kernel's timer said.
func (l *linker) timeWait(lc *linked) {
	for i := range lc.TimeWait {
		tw := &lc.TimeWait[i]
		for _, c := range l.res.Calls {
			for j := range c.Samples {
				s := &c.Samples[j]
				if sampleSide(lc, s) == tw.Holder && s.State == event.TimeWait && s.Left > 0 && s.Time >= tw.Since && l.covers(lc, s.Time) {
					tw.Confidence = InKernel
					tw.Until = s.Time.Add(time.Duration(s.Left))
				}
			}
		}
	}
}

// taint says of every verdict that packets are missing.
func taint(res *Result, dropped uint64) {
	why := fmt.Sprintf("the capture lost %d packets: what they held is not known", dropped)
	res.Warnings = append(res.Warnings, why)
	for _, c := range res.Connections {
		c.Warnings = append(c.Warnings, why)
		if c.Confidence != Unknown {
			c.Confidence = Unknown
		}
		if c.Reset != nil && c.Reset.Confidence != InKernel {
			c.Reset.Confidence = Unknown
		}
	}
}
