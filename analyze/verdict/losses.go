package verdict

import (
	"fmt"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

// fewRoundTrips is how many round trips an acknowledgment may be under way when the sender
// repeats itself all the same.
const fewRoundTrips = 3

// farApart is how many segments may lie between one and its repetition for the pair to be
// looked at: it bounds what a capture full of repetitions costs.
const farApart = 4096

// noteLosses marks the segments that seem not to have arrived: the sender sent them again and
// nothing had acknowledged them, or it sent again what they had acknowledged. Where segments
// are missing from the list, or an end from the capture, nothing is claimed.
func (fl judged) noteLosses(c *analyze.Connection) {
	oneSided := c.Packets.Client == 0 || c.Packets.Server == 0
	if c.Omitted > 0 || oneSided && c.Ending != analyze.Unanswered {
		return
	}
	copies := map[uint64]copied{} // by the original's frame
	for i, s := range c.Segments {
		first := s.Frame
		if s.Retransmits != 0 {
			first = s.Retransmits
		}
		of, again := copies[first]
		if !again {
			of.first = i
		} else if i-of.first <= farApart {
			fl.noteLoss(c, of, i)
		}
		of.newest = i
		copies[first] = of
	}
	if fl.Twice != nil {
		fl.takeBackLosses(c)
	}
	switch c.Ending {
	case analyze.Unanswered, analyze.Silent, analyze.FinUnacked:
		noteUnanswered(c, copies, fl.now)
	}
}

// copied says by index where what was sent more than once stands first, and where again.
type copied struct{ first, newest int }

// noteLoss decides what was lost when a segment is sent again: its newest copy, or what acknowledged it.
func (fl judged) noteLoss(c *analyze.Connection, of copied, again int) {
	s, repeat := c.Segments[of.newest], c.Segments[again]
	if s.Ignored != "" || repeat.Ignored != "" || slices.Contains(s.Notes, staleNote) || s.Kind == analyze.KindWindowProbe {
		return // there was no room for a probe's byte
	}
	if s.Kind == analyze.KindSyn && repeat.Time.Sub(s.Time) < ackWithin {
		return // no timer does that: it drew an ACK of an older connection, and that an RST
	}
	noteLostAcks(c, of.first, again)
	for _, at := range [...]int{of.first, of.newest} {
		answered, missed := answersBetween(c, at, again)
		trip := fl.tripFrom(c.Segments[at].From)
		answer, took := answerToRepeat(c, c.Segments[at], again)
		switch {
		case missed && answer != nil && took >= trip*7/8: // sooner, it had only come late
			c.Segments[at].Lost = fmt.Sprintf("what came after it was acknowledged without it, and frame %d repeats it", repeat.Frame)
			if trip == 0 || took > trip*9/8+atOnceWithin || answer.Kind != analyze.KindAck || fl.lacksAny() || !fl.tellsTwice() { // an ACK may be missing before that
				c.Segments[at].Lost = "it, or it only came late: " + c.Segments[at].Lost
			}
		case !missed && !answered && at == of.newest:
			s.Lost = fmt.Sprintf("it, or what answers it: frame %d repeats it", repeat.Frame)
		}
	}
}

// tellsTwice reports whether an end that receives something once more says so (D-SACK, RFC 2883): then its ACK of what is
// sent again is not taken for that of what had only come late.
func (fl judged) tellsTwice() bool { return fl.Dir[tcp.Client].SACK && fl.Dir[tcp.Server].SACK }

// answersBetween reports whether a segment, given by its index, was answered before another, and whether it was
// missed: what came after it drew an ACK that says once more, and nothing else, that it is the next one wanted.
func answersBetween(c *analyze.Connection, at, until int) (answered, missed bool) {
	s, passed := c.Segments[at], false
	var before *analyze.Segment // the newest of the other end
	for _, a := range slices.Backward(c.Segments[max(0, at-farApart):at]) {
		if a.From != s.From {
			before = a
			break
		}
	}
	for _, a := range c.Segments[at+1 : until] {
		switch {
		case a.From == s.From:
			passed = passed || a.Len > 0 && a.Seq > s.Seq
		case a.Ignored == "":
			if answersTo(a, s) {
				answered = true
			}
			missed = missed || passed && a.Kind == analyze.KindAck && a.Ack == s.Seq &&
				before != nil && before.Ack == a.Ack && before.Window == a.Window
			before = a
		}
	}
	return answered, missed
}

// answerToRepeat returns what was captured first that acknowledges a segment behind its repetition, nil where nothing
// was, and how long after that it came.
func answerToRepeat(c *analyze.Connection, s *analyze.Segment, again int) (*analyze.Segment, time.Duration) {
	for _, a := range c.Segments[again+1:] {
		if answersTo(a, s) {
			return a, a.Time.Sub(c.Segments[again].Time)
		}
	}
	return nil, 0
}

// tripFrom is how long an answer to what an end sends took at the handshake, 0 where that is not known.
func (fl judged) tripFrom(by analyze.Side) time.Duration {
	if by == analyze.Client {
		return fl.TripTo(tcp.Server)
	}
	return fl.TripTo(tcp.Client)
}

// takeBackLosses says nothing of loss where as much came twice as was sent again.
func (fl judged) takeBackLosses(c *analyze.Connection) {
	type repeated struct {
		span  tcp.Span
		bytes int64
	}
	again := map[uint64]repeated{} // by the original's frame
	for _, s := range c.Segments {
		if s.Retransmits == 0 {
			continue
		}
		r, known := again[s.Retransmits]
		if !known {
			r.span.From = s.Seq
		}
		r.span = tcp.Span{From: min(r.span.From, s.Seq), To: max(r.span.To, s.End())}
		r.bytes += s.End() - s.Seq
		again[s.Retransmits] = r
	}
	for _, s := range c.Segments {
		first := s.Frame
		if s.Retransmits != 0 {
			first = s.Retransmits
		}
		r, known := again[first]
		for t := fl.Twice; t != nil; t = t.Older {
			if t.Of.Side() == s.From {
				r.bytes -= max(0, min(t.To, r.span.To)-max(t.From, r.span.From))
			}
		}
		if known && r.bytes <= 0 {
			s.Lost = ""
		}
	}
}

// noteLostAcks marks what acknowledged, behind the first transmission, all that was sent again long after.
func noteLostAcks(c *analyze.Connection, first, again int) {
	trip := roundTrip(c)
	if trip == 0 {
		return
	}
	repeat := c.Segments[again]
	for _, a := range c.Segments[first+1 : again] {
		if answersTo(a, repeat) && a.Kind == analyze.KindAck && repeat.Time.Sub(a.Time) > fewRoundTrips*trip {
			a.Lost = fmt.Sprintf("it acknowledged what frame %d repeats all the same", repeat.Frame)
			if repeat.Kind == analyze.KindSynAck {
				a.Lost = "it, or a listener let it pass (accept queue full, or TCP_DEFER_ACCEPT): " + a.Lost
			}
		}
	}
}

// noteUnanswered marks the last copies of what was repeated and never acknowledged.
func noteUnanswered(c *analyze.Connection, copies map[uint64]copied, now event.Time) {
	for i, s := range slices.Backward(c.Segments) {
		if slices.Contains(s.Notes, staleNote) || s.Retransmits == 0 || now.Sub(s.Time) < patience || copies[s.Retransmits].newest != i {
			continue
		}
		if len(c.Segments)-i > farApart {
			return
		}
		if !slices.ContainsFunc(c.Segments[i:], func(a *analyze.Segment) bool { return answersTo(a, s) }) {
			s.Lost = "it, or what answers it: nothing acknowledged it, as with what it repeats"
		}
	}
}

// answersTo reports whether a, of the other end, acknowledges all of s or refuses it.
func answersTo(a, s *analyze.Segment) bool {
	if a.From == s.From || a.Ignored != "" {
		return false
	}
	return a.Flags.Has(event.RST) || a.Ack >= s.End()
}

// roundTrip is how long the handshake took from the newest SYN to the ACK of its answer, 0 when it is
// not in the capture.
func roundTrip(c *analyze.Connection) time.Duration {
	var syn event.Time
	sent, answered := false, false
	for _, s := range c.Segments {
		switch {
		case s.Kind == analyze.KindSyn && !answered:
			syn, sent = s.Time, true
		case s.Kind == analyze.KindSynAck && sent:
			answered = true
		case !answered || s.From != analyze.Client:
			return 0
		default:
			return s.Time.Sub(syn)
		}
	}
	return 0
}
