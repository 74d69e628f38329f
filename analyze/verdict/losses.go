package verdict

import (
	"fmt"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
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
func noteLosses(c *analyze.Connection, now event.Time) {
	oneSided := c.Packets.Client == 0 || c.Packets.Server == 0
	if c.Omitted > 0 || oneSided && c.Ending != analyze.Unanswered {
		return
	}
	newest := map[uint64]int{} // by the original's frame, the index of its newest copy
	for i, s := range c.Segments {
		first := s.Frame
		if s.Retransmits != 0 {
			first = s.Retransmits
			if last, ok := newest[first]; ok && i-last <= farApart {
				noteLoss(c, last, i)
			}
		}
		newest[first] = i
	}
	switch c.Ending {
	case analyze.Unanswered, analyze.Silent, analyze.FinUnacked:
		noteUnanswered(c, newest, now)
	}
}

// noteLoss decides what was lost when one segment repeats another: the other, or what
// acknowledged it.
func noteLoss(c *analyze.Connection, last, again int) {
	s, repeat := c.Segments[last], c.Segments[again]
	if s.Ignored != "" || repeat.Ignored != "" || slices.Contains(s.Notes, staleNote) {
		return
	}
	answered, passed, missed, trip := false, false, false, roundTrip(c)
	for _, a := range c.Segments[last+1 : again] {
		if !answersTo(a, s) {
			passed = passed || a.From == s.From && a.Len > 0 && a.Seq > s.Seq
			missed = missed || passed && a.From != s.From && a.Kind == analyze.KindAck && a.Ack <= s.Seq
			continue
		}
		answered = true
		if trip > 0 && repeat.Time.Sub(a.Time) > fewRoundTrips*trip && a.Kind == analyze.KindAck {
			a.Lost = fmt.Sprintf("it acknowledged frame %d, yet frame %d repeats that", s.Frame, repeat.Frame)
		}
	}
	switch {
	case answered:
	case missed:
		s.Lost = fmt.Sprintf("what came after it was acknowledged without it, and frame %d repeats it", repeat.Frame)
	default:
		s.Lost = fmt.Sprintf("it, or what answers it: frame %d repeats it", repeat.Frame)
	}
}

// noteUnanswered marks the last copies of what was repeated and never acknowledged.
func noteUnanswered(c *analyze.Connection, newest map[uint64]int, now event.Time) {
	for i := len(c.Segments) - 1; i >= 0; i-- {
		s := c.Segments[i]
		if slices.Contains(s.Notes, staleNote) || s.Retransmits == 0 || now.Sub(s.Time) < patience || s.Ignored != "" || newest[s.Retransmits] != i {
			continue
		}
		if len(c.Segments)-i > farApart {
			return
		}
		answered := false
		for _, a := range c.Segments[i:] {
			answered = answered || answersTo(a, s)
		}
		if !answered {
			s.Lost = "it, or what answers it: nothing acknowledged it, as with what it repeats"
		}
	}
}

// answersTo reports whether a, of the other end, acknowledges all of s or refuses it.
func answersTo(a, s *analyze.Segment) bool {
	if a.From == s.From || a.Ignored != "" {
		return false
	}
	end := s.Seq + int64(s.Len)
	if s.Flags.Has(event.SYN) {
		end++
	}
	if s.Flags.Has(event.FIN) {
		end++
	}
	return a.Flags.Has(event.RST) || a.Flags.Has(event.ACK) && a.Ack >= end
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
