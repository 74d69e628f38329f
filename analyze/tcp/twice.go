package tcp

import "github.com/closecap/closecap/analyze/event"

// Twice is what the peer of an end said that it had received once more (D-SACK, RFC 2883): what was
// sent again had not been lost.
type Twice struct {
	Span
	Of    End
	Older *Twice
}

// receivedTwice takes in the first SACK block of e's segment, where it lies before what the segment
// acknowledges, or within its second.
func (fl *Flow) receivedTwice(e End, s *event.Segment, r *Listed) {
	p := &fl.Dir[e.Other()]
	span := Span{p.rel(s.Options.SACKLeft), p.rel(s.Options.SACKRight)}
	if fl.Omitted == 0 && p.Based && span.From < span.To && (span.To <= r.Ack || s.Options.SACKTwice) {
		fl.Twice = &Twice{span, e.Other(), fl.Twice}
	}
}
