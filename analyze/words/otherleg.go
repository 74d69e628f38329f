package words

import (
	"cmp"
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// NameEnds says of each connection that a relay ended how its other leg had ended before that.
func NameEnds(all []*analyze.Connection) {
	legs := map[int]*analyze.Connection{}
	for _, c := range all {
		if c.Relay != nil {
			legs[c.ID] = c
		}
	}
	for _, c := range legs {
		other := legs[c.Relay.Leg]
		if other == nil {
			continue
		}
		r := c.Relay
		if at := answersItself(c); at != 0 {
			r.Ended = endBefore(other, at)
		}
		if r.Ended != nil {
			r.Ended.Answered = true
		} else if c.Closer == r.Side {
			r.Ended = endBefore(other, c.FirstEnd())
		}
		if r.Ended != nil && r.Confidence == analyze.Inferred {
			r.Ended.Confidence = analyze.Inferred
		}
	}
}

// answersItself returns when a relay had said the last on c, to which none of the other leg's went on; 0 where it did not.
func answersItself(c *analyze.Connection) event.Time {
	r, w := c.Relay, c.LastWords
	own := r.Same == analyze.NothingBack || r.Same == analyze.SameRequest && r.PID != 0
	if !own || r.Side != analyze.Server || w == nil || w.Server == nil || w.Server.Frame == 0 {
		return 0
	}
	return w.Server.Time
}

// endBefore tells how a leg had ended before then, nil where it had not or that is not known.
func endBefore(c *analyze.Connection, then event.Time) *analyze.LegEnd {
	over := c.FirstEnd()
	if c.Ending == analyze.Unanswered {
		over = c.End
	}
	if over == 0 || over > then {
		return nil
	}
	why, sure := endOf(c)
	if why == "" {
		if why, sure = closedBy(c), c.CloserSure; why == "" || then.Sub(over) > moment {
			return nil
		}
	}
	peer, byRelay := c.Client, c.Closer == c.Relay.Side
	if c.Relay.Side == analyze.Client {
		peer = c.Server
	}
	return &analyze.LegEnd{Peer: peer, NS: int64(then.Sub(over)), Reason: why, Confidence: sure, ByRelay: byRelay}
}

// endOf says why a connection ended: its reason, else who reset it; "" where it was only closed.
func endOf(c *analyze.Connection) (string, analyze.Confidence) {
	if w := c.LastWords; w != nil && w.Reason != "" {
		return w.Reason, w.Confidence
	}
	r := c.Reset
	switch c.Ending {
	case analyze.WasRefused:
		return fmt.Sprintf("refused (frame %d)", r.Frame), cmp.Or(r.Confidence, c.CloserSure)
	case analyze.Unanswered:
		return "nothing came back to its SYN", c.Confidence
	}
	if r == nil || c.Closer != r.By {
		return "", analyze.Unknown
	}
	why := fmt.Sprintf("the %s reset it (frame %d)", r.By, r.Frame)
	if r.Confidence != analyze.Unknown {
		why += ", " + string(r.Cause)
	}
	return why, cmp.Or(r.Confidence, c.CloserSure)
}

// closedBy says who closed first, and what that end said last.
func closedBy(c *analyze.Connection) string {
	if c.Closer != analyze.Client && c.Closer != analyze.Server {
		return ""
	}
	why := fmt.Sprintf("the %s closed", c.Closer)
	if w := c.LastWords; w != nil {
		if said := *w.Of(c.Closer); said != nil && said.Tells && said.Frame != 0 {
			why += "; its last words: " + said.Meaning
		}
	}
	return why
}
