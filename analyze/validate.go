package analyze

import (
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// Validate checks what holds for every result, whatever the evidence was: each segment
// stands in one connection, causes come before effects, a FIN takes one sequence number,
// state changes are legal, numbers agree. It returns what does not hold, nil when all does.
func Validate(r *Result) []error {
	v := validator{seen: map[uint64]int{}, ids: map[int]bool{}, read: map[streamOf]uint64{}}
	for _, c := range r.Connections {
		v.connection(c)
	}
	for _, c := range r.Calls {
		if c.Connection != 0 && !v.ids[c.Connection] {
			v.fail("call %d: no connection %d", c.ID, c.Connection)
		}
		if c.Kind() == event.RecvCall && c.Bytes != nil && !c.Peek {
			v.took(c)
		}
	}
	for _, c := range r.Connections {
		v.losses(c)
	}
	return v.errs
}

// took notes how much of its stream a reading call had returned by then.
func (v *validator) took(c *Call) {
	k := streamOf{c.Connection, c.Side.Other()}
	v.read[k] = max(v.read[k], c.Bytes[1])
}

// losses: what a side sent was read, or lost in one way, never in two.
func (v *validator) losses(c *Connection) {
	v.at = c.ID
	for l := range c.Losses() {
		n := l.Unacked + l.Unread + l.AfterClose + l.MayBe
		if l.From == NoSide {
			v.check(n == 0, "lost %+v of nobody", *l)
			continue
		}
		read, sent := v.read[streamOf{c.ID, c.Peer(l.From).Other()}], *c.Bytes.Of(l.From)
		v.check(n == 0 || read+n <= sent, "lost %+v of %d bytes, of which %d were read", *l, sent, read)
	}
}

type validator struct {
	seen map[uint64]int // frame -> connection
	ids  map[int]bool
	read map[streamOf]uint64 // bytes that its receiver's calls returned
	errs []error
	at   int
}

// streamOf names what a side of a connection sends.
type streamOf struct {
	connection int
	from       Side
}

func (v *validator) fail(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf(format, args...))
}

func (v *validator) check(ok bool, format string, args ...any) {
	if !ok {
		v.fail("connection %d: %s", v.at, fmt.Sprintf(format, args...))
	}
}

func (v *validator) connection(c *Connection) {
	v.at = c.ID
	v.check(!v.ids[c.ID], "its id is used twice")
	v.ids[c.ID] = true
	v.check(c.FirstFrame <= c.LastFrame, "frames %d to %d", c.FirstFrame, c.LastFrame)
	v.check(c.Start <= c.End, "it ends %v before it starts %v", c.End, c.Start)
	v.check(find(endingCodes, c.Ending) != nil, "unknown ending %q", c.Ending)
	v.check((c.Ending == UnknownEnding) == (c.Confidence == Unknown), "%s with confidence %s", c.Ending, c.Confidence)
	v.check(len(c.Why) > 0, "%s without a reason", c.Ending)
	reset := c.Ending == WasReset || c.Ending == WasRefused
	v.check((c.Reset != nil) == reset || c.Ending == UnknownEnding, "%s with reset %+v", c.Ending, c.Reset)
	v.check((c.Closer == NoSide) == (c.CloserSure == "" || c.CloserSure == Unknown), "closer %q, %q", c.Closer, c.CloserSure)
	v.check((c.FinBy != NoSide) == (c.Ending == HalfClosed || c.Ending == FinUnacked), "%s with FIN by %q", c.Ending, c.FinBy)
	v.check(c.Warnings != nil, "warnings are null")
	v.check(c.Simultaneous == (c.Closer == Both), "simultaneous %v, closed by %q", c.Simultaneous, c.Closer)
	v.segments(c)
	v.states(c, Client)
	v.states(c, Server)
	v.parts(c)
	v.agree(c)
	v.compat(c)
}

func (v *validator) segments(c *Connection) {
	fin := map[Side]int64{}
	var last uint64
	for _, s := range c.Segments {
		other, twice := v.seen[s.Frame]
		v.check(!twice, "frame %d also stands in connection %d", s.Frame, other)
		v.seen[s.Frame] = c.ID
		v.check(s.Frame > last, "frame %d after frame %d", s.Frame, last)
		last = s.Frame
		v.check(s.From == Client || s.From == Server, "frame %d is from %q", s.Frame, s.From)
		v.check(s.Answers < s.Frame, "frame %d answers frame %d", s.Frame, s.Answers)
		v.check(s.Retransmits < s.Frame, "frame %d repeats frame %d", s.Frame, s.Retransmits)
		v.check(s.Frame >= c.FirstFrame && s.Frame <= c.LastFrame, "frame %d outside %d to %d", s.Frame, c.FirstFrame, c.LastFrame)
		v.check(s.FlagText == s.Flags.String(), "frame %d: flags %q, %q", s.Frame, s.Flags, s.FlagText)
		if s.Flags.Has(event.FIN) && s.Ignored == "" && s.Kind == KindFin {
			end := s.Seq + int64(s.Len)
			if s.Flags.Has(event.SYN) {
				continue
			}
			if at, ok := fin[s.From]; ok && s.Retransmits != 0 {
				v.check(at == end, "frame %d: FIN at %d, before at %d", s.Frame, end, at)
			} else {
				fin[s.From] = end
			}
		}
	}
	n := uint64(len(c.Segments)) + c.Omitted
	v.check(n >= c.Packets.Client+c.Packets.Server, "%d segments for %+v packets", n, c.Packets)
}

func (v *validator) states(c *Connection, side Side) {
	from := event.StateUnknown
	var at event.Time
	for _, ch := range *c.States.Of(side) {
		v.check(from.MayBecome(ch.State), "%s: %v to %v in frame %d", side, from, ch.State, ch.Frame)
		v.check(ch.Frame == 0 || ch.Frame >= c.FirstFrame && ch.Frame <= c.LastFrame, "%s: %v shown by frame %d", side, ch.State, ch.Frame)
		v.check(ch.Time >= at, "%s: %v before the state it follows", side, ch.State)
		from, at = ch.State, ch.Time
	}
}

func (v *validator) parts(c *Connection) {
	if r := c.Reset; r != nil {
		v.check(r.By == Client || r.By == Server, "reset by %q", r.By)
		v.check(r.Trigger < r.Frame, "RST %d drawn by %d", r.Frame, r.Trigger)
		v.check(r.Frame >= c.FirstFrame && r.Frame <= c.LastFrame, "RST in frame %d", r.Frame)
		v.check((r.Cause == UnknownCause) == (r.Confidence == Unknown), "cause %s, %s", r.Cause, r.Confidence)
		v.check(r.Lost.TLSAlerts <= r.Lost.Unacked+r.Lost.Unread+r.Lost.AfterClose, "lost %+v: more alerts than bytes", r.Lost)
	}
	for _, side := range []Side{Client, Server} {
		accounts := 0
		for l := range c.Losses() {
			if l.From == side {
				accounts++
			}
		}
		v.check(accounts <= 1, "%d accounts of what the %s lost", accounts, side)
	}
	if h := c.HalfClose; h != nil {
		v.check(h.NS >= 0, "half-closed for %d ns", h.NS)
		v.check(h.Bytes <= *c.Bytes.Of(h.By.Other()), "half-close of %d bytes", h.Bytes)
		v.check(!c.Simultaneous, "half-close and simultaneous")
	}
	for _, w := range c.TimeWait {
		v.check(w.Since <= w.Until, "TIME_WAIT since %v until %v", w.Since, w.Until)
		v.check(w.Rearmed != nil, "rearmed is null")
		v.check(slices.IsSorted(w.Rearmed), "rearmed by %v", w.Rearmed)
	}
}

func (v *validator) compat(c *Connection) {
	states := []string{"S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH"}
	v.check(slices.Contains(states, c.Compat.ZeekConnState), "conn_state %q", c.Compat.ZeekConnState)
	v.check(c.Compat.Completeness >= 0 && c.Compat.Completeness < 64, "completeness %d", c.Compat.Completeness)
	v.check(c.Compat.Tcptrace != "", "no tcptrace class")
}
