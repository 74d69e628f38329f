package join

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// sampleOf is what the kernel said of one end of a connection.
type sampleOf struct {
	*event.Sample
	call *analyze.Call
	side analyze.Side
}

// sample gives each connection the samples of its two ends that were taken while it was the
// newest between them.
func (l *linker) sample() {
	pairs := map[[2]netip.AddrPort][]*linked{}
	for _, lc := range l.conns {
		key := pairOf(lc.Client, lc.Server)
		pairs[key] = append(pairs[key], lc)
	}
	for _, conns := range pairs {
		slices.SortStableFunc(conns, func(a, b *linked) int { return cmp.Compare(a.Start, b.Start) })
	}
	for _, c := range l.res.Calls {
		for i := range c.Samples {
			s := &c.Samples[i]
			key := pairOf(s.Local, s.Remote)
			conns := pairs[key]
			n, _ := slices.BinarySearchFunc(conns, s.Time, func(lc *linked, t event.Time) int {
				if lc.Start <= t {
					return -1
				}
				return 1
			})
			if n > 0 {
				lc := conns[n-1]
				lc.samples = append(lc.samples, sampleOf{s, c, sampleSide(lc.Connection, s)})
			}
		}
	}
}

// pairOf puts two addresses into one order.
func pairOf(a, b netip.AddrPort) [2]netip.AddrPort {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	return [2]netip.AddrPort{a, b}
}

// kernelStates hands each call the kernel's view right after it. Where the states inferred from the
// wire say otherwise, it believes the kernel if that is a change which no segment shows, and
// warns if not.
func (lc *linked) kernelStates() {
	for _, s := range lc.samples {
		c := s.call
		if c.Connection != 0 && c.Connection != lc.ID {
			continue
		}
		if c.States == nil {
			c.States = map[analyze.Side]string{}
		}
		c.States[s.side] = s.State.String()
		if lc.Guessed && !lc.shows(s.side, s.Time) {
			continue
		}
		if got := lc.stateAt(s.side, s.Time); got != s.State && !isHandOver(s.Sample, got) && !lc.justLeft(s) && !lc.believes(s, got) {
			lc.Warnings = append(lc.Warnings, fmt.Sprintf(
				"after #%d the kernel has the %s in %s, the wire suggests %s", c.ID, s.side, s.State, got))
		}
	}
}

// isHandOver reports whether TIME_WAIT, of which no timer is known, only says that the socket was let go from FIN_WAIT2 or
// CLOSING, as BPF tells: an RST that answers data lets it go, too, and then the wire shows that.
func isHandOver(s *event.Sample, got event.TCPState) bool {
	return s.State == event.TimeWait && s.Left == 0 && got == event.Closed
}

func sampleSide(lc *analyze.Connection, s *event.Sample) analyze.Side {
	switch {
	case s.Local == lc.Client && s.Remote == lc.Server:
		return analyze.Client
	case s.Local == lc.Server && s.Remote == lc.Client:
		return analyze.Server
	}
	return analyze.NoSide
}

// shows reports whether any state of side is inferred from what was captured up to t. Of a connection
// met midway there may be none yet.
func (lc *linked) shows(side analyze.Side, t event.Time) bool {
	changes := *lc.States.Of(side)
	return len(changes) > 0 && changes[0].Time <= t
}

// justLeft reports whether the end had been in the sampled state until a moment before, when a segment of its peer
// came: that is captured before its receiver has taken it in.
func (lc *linked) justLeft(s sampleOf) bool {
	changes := *lc.States.Of(s.side)
	for i := len(changes) - 1; i > 0; i-- {
		ch := &changes[i]
		if ch.Time > s.Time || s.Time.Sub(ch.Time) >= softirqGap || changes[i-1].State != s.State {
			continue
		}
		by := lc.segment(ch.Frame, len(lc.Segments)-1)
		return by != nil && by.From != s.side
	}
	return false
}

// stateAt returns the inferred state of side at t.
func (lc *linked) stateAt(side analyze.Side, t event.Time) event.TCPState {
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
func (lc *linked) timeWait() {
	for i := range lc.TimeWait {
		tw := &lc.TimeWait[i]
		for _, s := range lc.samples {
			if s.side == tw.Holder && s.State == event.TimeWait && s.Left > 0 && s.Time >= tw.Since {
				tw.Confidence = analyze.InKernel
				tw.Until, tw.Assumed = s.Time.Add(time.Duration(s.Left)), false
			}
		}
	}
}

// taint says that packets are missing of the connections that leave room for one by their own numbers:
// what they claim is inferred at most.
func taint(res *analyze.Result, dropped uint64) {
	var lacking uint64
	for _, c := range res.Connections {
		if c.Whole {
			continue
		}
		lacking++
		c.Warnings = append(c.Warnings, fmt.Sprintf("the capture lost %s, and this connection may lack some", analyze.Count(dropped, "packet")))
		for _, sure := range []*analyze.Confidence{&c.Confidence, &c.CloserSure} {
			if *sure == analyze.Observed {
				*sure = analyze.Inferred
			}
		}
		if c.Reset != nil && c.Reset.Confidence == analyze.Observed {
			c.Reset.Confidence = analyze.Inferred
		}
	}
	res.Warnings = append(res.Warnings, analyze.DropWarning(dropped, lacking, uint64(len(res.Connections))))
}
