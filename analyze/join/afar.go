package join

import (
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// leastDelayedAck is TCP_DELACK_MIN (include/net/tcp.h).
const leastDelayedAck = 40 * time.Millisecond

// ackFromAfar: an end without recorded calls may be another machine. Its answer takes the way there
// and back, as its part of the handshake did; what comes a delayed ACK later still waited for that timer.
func (l *linker) ackFromAfar(c *linked, s, a *analyze.Segment) analyze.Root {
	way := c.ways[columnOf(s.From)]
	switch took := s.Time.Sub(a.Time); {
	case took < way+way/2+softirqGap:
		return l.answer(a, analyze.Inferred)
	case took < way+leastDelayedAck:
		return c.unrecorded(s.From)
	}
	return analyze.Root{Kind: analyze.RootTimer, Timer: "delayed-ack", Frame: a.Frame, Confidence: analyze.Inferred}
}

// way returns how long side took to answer in the handshake, 0 where that is not captured.
func (lc *linked) way(side analyze.Side) time.Duration {
	asks, answers := analyze.KindSyn, analyze.KindSynAck
	if side == analyze.Client {
		asks, answers = analyze.KindSynAck, analyze.KindAck
	}
	var asked event.Time
	for _, s := range lc.Segments {
		switch {
		case s.From != side && s.Kind == asks:
			asked = s.Time
		case s.From == side && asked != 0:
			if s.Kind != answers {
				return 0
			}
			return s.Time.Sub(asked)
		}
	}
	return 0
}
