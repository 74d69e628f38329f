package thin_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows"
)

// claim is one thing that a result says of a connection, in words that do not depend on who is
// taken for the client.
type claim struct {
	what, value string
	sure        bool // with a confidence above unknown
	conf        analyze.Confidence
}

// untilEnd are the endings that speak of the time until the capture ended: fewer packets may
// say them of any connection.
var untilEnd = []analyze.Ending{
	analyze.Open, analyze.HalfClosed, analyze.FinUnacked, analyze.Unanswered, analyze.Silent,
}

// claimsOf lists what c claims.
func claimsOf(c *analyze.Connection) []claim {
	var out []claim
	add := func(what, value string, conf analyze.Confidence) {
		if value != "" {
			out = append(out, claim{what, value, conf != analyze.Unknown && conf != "", conf})
		}
	}
	add("ending", string(c.Ending), c.Confidence)
	add("closer", who(c, c.Closer), c.CloserSure)
	if c.Simultaneous {
		add("simultaneous", "true", c.CloserSure)
	}
	if h := c.HalfClose; h != nil {
		add("half-close by", who(c, h.By), c.CloserSure)
	}
	if r := c.Reset; r != nil && c.Ending != analyze.UnknownEnding {
		add("reset by", who(c, r.By), c.Confidence) // in whose name it came
		if r.Cause != analyze.UnknownCause {
			add("reset cause", string(r.Cause), r.Confidence)
		}
		lost(c, &r.Lost, r.Confidence, add)
	}
	if i := c.IdleClose; i != nil {
		add("idle close by "+who(c, i.By), fmt.Sprintf("frame %d met by %d, crossed %v", i.Fin, i.Request, i.Crossed), c.Reset.Confidence)
	}
	if c.Lost != nil {
		lost(c, c.Lost, c.Confidence, add)
	}
	if c.AlsoLost != nil {
		lost(c, c.AlsoLost, c.Confidence, add)
	}
	for _, t := range c.TimeWait {
		add("time-wait of "+who(c, t.Holder), "held", t.Confidence)
		if t.EndedBy != "" && t.EndedBy != "expiry" {
			add("time-wait of "+who(c, t.Holder)+" ended by", t.EndedBy, t.Confidence)
		}
	}
	for _, side := range []analyze.Side{analyze.Client, analyze.Server} {
		changes := *c.States.Of(side)
		if n := len(changes); n > 0 && changes[n-1].State == event.Closed && changes[n-1].Frame != 0 { // not when another took its place
			add("state of "+who(c, side), "CLOSED", changes[n-1].Confidence)
		}
	}
	for _, s := range c.Segments {
		if s.Lost != "" && !strings.HasPrefix(s.Lost, "it, or ") {
			add(fmt.Sprintf("lost frame %d", s.Frame), "lost", analyze.Inferred)
		}
	}
	return out
}

func lost(c *analyze.Connection, l *analyze.Lost, conf analyze.Confidence, add func(string, string, analyze.Confidence)) {
	whose := "lost of " + who(c, l.From)
	for _, k := range []struct {
		kind  string
		bytes uint64
	}{{"unacked", l.Unacked}, {"unread", l.Unread}, {"after close", l.AfterClose}} {
		if k.bytes > 0 {
			add(whose+" "+k.kind, fmt.Sprint(k.bytes), conf)
		}
	}
}

// who names an end by its address.
func who(c *analyze.Connection, s analyze.Side) string {
	switch s {
	case analyze.Client:
		return c.Client.String()
	case analyze.Server:
		return c.Server.String()
	}
	return string(s)
}

// sameTuple reports whether a and b are connections between the same two addresses.
func sameTuple(a, b *analyze.Connection) bool {
	return a.Client == b.Client && a.Server == b.Server || a.Client == b.Server && a.Server == b.Client
}

// verdict is what came of holding one claim against the whole capture.
type verdict int

const (
	holds verdict = iota
	contradicts
	besideUnknown // a value beside the confidence unknown
)

// against holds what part, a connection of a thinner capture, claims against the connections of
// the whole one that it may be.
func against(part *analyze.Connection, whole []*analyze.Connection, hold func(claim, verdict, string)) {
	var may []*analyze.Connection
	for _, c := range whole {
		if sameTuple(c, part) && c.FirstFrame <= part.LastFrame && part.FirstFrame <= c.LastFrame {
			may = append(may, c)
		}
	}
	for _, k := range claimsOf(part) {
		switch {
		case !k.sure && k.what != "ending" && k.value != string(analyze.UnknownCause):
			hold(k, besideUnknown, "")
		case !k.sure:
		case slices.ContainsFunc(may, func(c *analyze.Connection) bool { return supports(c, part, k) }):
			hold(k, holds, "")
		default:
			hold(k, contradicts, said(may, k))
		}
	}
}

// supports reports whether the whole connection says what part claims, or whether the claim is
// about the time until the thinner capture ended.
func supports(whole, part *analyze.Connection, k claim) bool {
	if k.what == "ending" && slices.Contains(untilEnd, part.Ending) {
		oneSided := (part.Packets.Client == 0 || part.Packets.Server == 0) && !part.IsToItself()
		waits := part.Ending == analyze.Open || part.Ending == analyze.Unanswered
		return waits && !(oneSided && part.Ending == analyze.Open) || !oneSided || whole.Ending == part.Ending
	}
	if k.value == "reuse" && strings.HasSuffix(k.what, "ended by") {
		return true // a new connection did take the addresses
	}
	if forged(whole, part) && (k.conf == analyze.Inferred || k.what == "ending" || k.what == "reset by") {
		return true // no single point can exclude a perfect forgery
	}
	if k.what == "reset by" && part.Reset.Cause == analyze.NoSocket && len(part.Candidates) > 0 && whole.Ending == part.Ending {
		return true // it did come of a kernel without a socket, and what may be missing before it is said
	}
	if (k.what == "reset by" || k.what == "closer" && k.conf == analyze.Inferred) && bothReset(whole, part) {
		return true
	}
	if k.what == "reset cause" && bothReset(whole, part) && part.Reset.By != whole.Reset.By {
		return true // why the one end sent its RST is no matter of the other's
	}
	if part.Ending == analyze.WasRefused && whole.Retransmits.Client > 0 && (k.what == "ending" || k.what == "reset cause") {
		return true // it was refused until then; the client tried again
	}
	return slices.ContainsFunc(claimsOf(whole), func(o claim) bool {
		if strings.HasPrefix(k.what, "lost of") && o.what == k.what {
			return atMost(k.value, o.value) // of what was captured
		}
		return o.what == k.what && (o.value == k.value || slices.Contains(coarser[o.value], k.value))
	})
}

// forged reports whether the RST of part bears the name of an end that did not send it, as the whole
// capture shows: the claim then is in whose name it came.
func forged(whole, part *analyze.Connection) bool {
	if part.Reset == nil {
		return false
	}
	if r := whole.Reset; r != nil && (r.Cause == analyze.Middlebox || r.Cause == analyze.UnknownCause) {
		return true
	}
	return slices.ContainsFunc(whole.Segments, func(s *analyze.Segment) bool {
		return s.Frame == part.Reset.Frame && s.Ignored != "" && s.Ignored != "the connection had ended"
	})
}

// bothReset reports whether each end sent an RST, as the whole capture shows, of which part lacks one: the other
// came, too, and from whom is observed. No number and no answer tells that an RST was lost.
func bothReset(whole, part *analyze.Connection) bool {
	if whole.Ending != part.Ending || whole.Reset == nil || part.Reset == nil {
		return false
	}
	return slices.ContainsFunc(whole.Segments, func(s *analyze.Segment) bool {
		return s.Ignored == "the connection had ended" && s.From == whole.Reset.By.Other() && s.Flags.Has(event.RST) &&
			(!has(part, s.Frame) || !has(part, whole.Reset.Frame))
	})
}

// has reports whether the segment of a frame is in c.
func has(c *analyze.Connection, frame uint64) bool {
	return slices.ContainsFunc(c.Segments, func(s *analyze.Segment) bool { return s.Frame == frame })
}

// atMost reports whether the number a is not above b.
func atMost(a, b string) bool {
	n, _ := strconv.Atoi(a)
	m, _ := strconv.Atoi(b)
	return n <= m
}

// coarser are the causes that say less than another, and nothing else: what became of the socket,
// not why.
var coarser = map[string][]string{
	string(analyze.DataAfterClose):    {string(analyze.NoSocket)},
	string(analyze.Aborted):           {string(analyze.NoSocket)},
	string(analyze.TimeWaitReset):     {string(analyze.NoSocket)},
	string(analyze.Linger2):           {string(analyze.NoSocket), string(analyze.Aborted)},
	string(analyze.RetransmitTimeout): {string(analyze.Aborted), string(analyze.NoSocket)},
	string(analyze.KeepaliveTimeout):  {string(analyze.Aborted), string(analyze.NoSocket)},
}

// said is what the whole connections say of the thing that k claims.
func said(may []*analyze.Connection, k claim) string {
	for _, c := range may {
		for _, o := range claimsOf(c) {
			if o.what == k.what {
				return o.value
			}
		}
	}
	return "nothing of it"
}

// follow analyses segments alone.
func follow(segments []event.Segment, sameHost bool) []*analyze.Connection {
	var conns []*analyze.Connection
	f := flows.NewFollower(analyze.Options{AllSegments: true, SameHost: sameHost}, func(c *analyze.Connection) {
		conns = append(conns, c)
	})
	for i := range segments {
		f.Segment(&segments[i])
	}
	f.Finish()
	return conns
}
