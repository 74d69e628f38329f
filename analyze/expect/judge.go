// Package expect is the language in which scripts and checks say how a connection is to end, and judges
// connections by it.
//
// A judgement has three values. What the evidence does not say is undecided, and never counts as held:
// unknown is no pass. What speaks of calls, or of a whole run, is parsed here and judged by package join.
package expect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// Judgement says whether something that is expected of a connection holds.
type Judgement string

// The judgements.
const (
	Undecided Judgement = "undecided" // the evidence does not say
	Held      Judgement = "held"
	NotHeld   Judgement = "not-held"
)

// not is the judgement of the opposite.
func (a Judgement) not() Judgement {
	switch a {
	case Held:
		return NotHeld
	case NotHeld:
		return Held
	}
	return Undecided
}

// judge says what c shows of a subject, in the words of an expectation, and whether that is what args want.
type judge func(c *analyze.Connection, args []string) (got string, a Judgement)

// Judge says what c shows of a subject, and whether that is what args want. A subject that is not judged
// by a connection alone is undecided.
func Judge(c *analyze.Connection, subject string, args []string) (got string, a Judgement) {
	s := find(subjects, subject)
	if s == nil || s.judge == nil {
		return "", Undecided
	}
	return s.judge(c, args)
}

// Seen says what c shows of a subject of one code: the code, with its side for a reset, or "unknown".
func Seen(c *analyze.Connection, subject string) string {
	got, _ := Judge(c, subject, []string{""})
	if code, rest, found := strings.Cut(got, " ("); found { // what it may be
		_, by, reset := strings.Cut(rest, ") by ")
		if reset {
			return code + " by " + by
		}
		return code
	}
	return got
}

// decide compares what was seen with what was wanted. What is not known may yet be what was wanted.
func decide(got string, known bool, want string) (string, Judgement) {
	switch {
	case got == want:
		return got, Held
	case !known:
		return got, Undecided
	}
	return got, NotHeld
}

func endingKnown(c *analyze.Connection) bool { return c.Ending != analyze.UnknownEnding }

func judgeEnding(c *analyze.Connection, args []string) (string, Judgement) {
	return decide(string(c.Ending), endingKnown(c), args[0])
}

// closerKnown reports whether the evidence says who ended c first, or that nobody did.
func closerKnown(c *analyze.Connection) bool {
	if c.Closer != analyze.NoSide {
		return true
	}
	switch c.Ending {
	case analyze.Open, analyze.Unanswered, analyze.Silent, analyze.WasRefused:
		return c.CloserSure != analyze.Unknown
	}
	return false // somebody ended it
}

// orCandidates is what is known, or else what it may be.
func orCandidates(c *analyze.Connection, value string, known bool, claim string) string {
	if known {
		return value
	}
	var may []string
	for _, p := range c.Candidates {
		if p.Claim == claim && !slices.Contains(may, p.Value) {
			may = append(may, p.Value)
		}
	}
	if len(may) == 0 {
		return "unknown"
	}
	return "unknown (may be " + strings.Join(may, " or ") + ")"
}

func judgeCloser(c *analyze.Connection, args []string) (string, Judgement) {
	known := closerKnown(c)
	return decide(orCandidates(c, orNone(string(c.Closer)), known, analyze.ClaimCloser), known, args[0])
}

func judgeSimultaneous(c *analyze.Connection, args []string) (string, Judgement) {
	if c.Simultaneous {
		return decide("yes", true, args[0])
	}
	if !closerKnown(c) {
		return "unknown", Undecided
	}
	return decide("no", true, args[0])
}

func judgeHalfClose(c *analyze.Connection, args []string) (string, Judgement) {
	if !closerKnown(c) {
		return "unknown", Undecided
	}
	if c.HalfClose == nil {
		return decide("none", true, args[0])
	}
	return decide(string(c.HalfClose.By), true, args[0])
}

func judgeReset(c *analyze.Connection, args []string) (string, Judgement) {
	r := c.Reset
	switch {
	case r == nil && (c.Ending == analyze.WasReset || c.Ending == analyze.WasRefused || !endingKnown(c)):
		return "unknown", Undecided
	case r == nil:
		return "no reset", NotHeld
	case !endingKnown(c):
		return fmt.Sprintf("unknown (an RST by %s, frame %d)", r.By, r.Frame), Undecided
	}
	want := analyze.ResetCause(args[0])
	known := r.Cause != analyze.UnknownCause
	got := orCandidates(c, string(r.Cause), known, analyze.ClaimCause) + " by " + string(r.By)
	switch {
	case len(args) == 2 && args[1] != string(r.By):
		return got, NotHeld
	case r.Cause == want:
		return got, Held
	case !known, r.Cause.MayBe(want):
		return got, Undecided
	}
	return got, NotHeld
}

func judgeNoReset(c *analyze.Connection, _ []string) (string, Judgement) {
	for _, s := range c.Segments {
		if s.Kind == analyze.KindRst {
			return fmt.Sprintf("frame %d is an RST from the %s", s.Frame, s.From), NotHeld
		}
	}
	switch {
	case c.Reset != nil:
		return fmt.Sprintf("frame %d is an RST from the %s", c.Reset.Frame, c.Reset.By), NotHeld
	case c.Ending == analyze.WasReset, c.Ending == analyze.WasRefused:
		return "an RST that was not captured", NotHeld
	case !endingKnown(c):
		return "none was captured, and how it ended is not known", Undecided
	}
	return "no reset", Held
}

func judgeLost(c *analyze.Connection, args []string) (string, Judgement) {
	var got []string
	for l := range c.Losses() { // what the reset cost comes last
		if c.Reset == nil || l != &c.Reset.Lost {
			got = append(got, kindsOf(l)...)
		}
	}
	if c.Reset != nil {
		got = append(got, kindsOf(&c.Reset.Lost)...)
	}
	seen := orNone(strings.Join(got, ", "))
	all := c.LostBytes()
	if all.MayBe > 0 {
		seen += fmt.Sprintf(", and %s that may be lost", analyze.Count(all.MayBe, "byte"))
	}
	open := NotHeld // what an answer is that more losses would turn over
	if all.MayBe > 0 || !endingKnown(c) {
		open = Undecided
	}
	met := slices.Contains(got, strings.Join(args, " "))
	switch {
	case args[0] == "none":
		if len(got) > 0 {
			return seen, NotHeld
		}
		return seen, open.not()
	case args[0] == "bytes":
		met = len(args) == 1 && all.Sum() > 0 || len(args) == 2 && amount(args[1], all.Sum())
	case strings.HasSuffix(args[len(args)-1], "+"):
		for _, l := range got {
			kind, n, _ := strings.Cut(l, " ")
			bytes, err := strconv.ParseUint(n, 10, 64)
			met = met || err == nil && kind == args[0] && amount(args[1], bytes)
		}
	}
	if met {
		return seen, Held
	}
	return seen, open
}

// amount reports whether n is the number that text says, or with a + behind at least that.
func amount(text string, n uint64) bool {
	least, atLeast := strings.CutSuffix(text, "+")
	want, err := strconv.ParseUint(least, 10, 64)
	return err == nil && (n == want || atLeast && n > want)
}

// kindsOf writes what l counts as an expectation does.
func kindsOf(l *analyze.Lost) []string {
	var out []string
	for _, k := range []struct {
		name string
		n    uint64
	}{{"unacked", l.Unacked}, {"unread", l.Unread}, {"after-close", l.AfterClose}, {"discarded", l.Discarded}} {
		if k.n > 0 {
			out = append(out, fmt.Sprintf("%s %d", k.name, k.n))
		}
	}
	return out
}

func judgeTimeWait(c *analyze.Connection, args []string) (string, Judgement) {
	var held []string
	for _, tw := range c.TimeWait {
		if tw.Confidence == analyze.Unknown {
			return "unknown", Undecided
		}
		if tw.EndedBy == "" && !slices.Contains(held, string(tw.Holder)) {
			held = append(held, string(tw.Holder))
		}
	}
	got := orNone(strings.Join(held, ""))
	if len(held) == 2 {
		got = string(analyze.Both)
	}
	return decide(got, endingKnown(c) && (len(held) > 0 || c.Ending != analyze.Graceful || closerKnown(c)), args[0])
}

func judgePassed(c *analyze.Connection, args []string) (string, Judgement) {
	want := args[1:]
	got := args[:1:1]
	for _, ch := range *c.States.Of(analyze.Side(args[0])) {
		got = append(got, ch.State.String())
		if len(want) > 0 && ch.State.String() == want[0] {
			want = want[1:]
		}
	}
	switch {
	case len(want) == 0:
		return strings.Join(got, " "), Held
	case len(got) == 1, !endingKnown(c):
		return strings.Join(got, " "), Undecided
	}
	return strings.Join(got, " "), NotHeld
}

func judgeWire(c *analyze.Connection, args []string) (string, Judgement) {
	switch got := Describe(c.Segments); {
	case InOrder(args, c.Segments):
		return got, Held
	case lacksSegments(c):
		return got, Undecided
	default:
		return got, NotHeld
	}
}

func judgeNoWire(c *analyze.Connection, args []string) (string, Judgement) {
	i := slices.IndexFunc(c.Segments, parseItem(args[0]).matches)
	switch {
	case i >= 0:
		return fmt.Sprintf("frame %d", c.Segments[i].Frame), NotHeld
	case lacksSegments(c):
		return "none among those that are known", Undecided
	}
	return "none", Held
}

// lacksSegments reports whether c may have had segments that are not listed.
func lacksSegments(c *analyze.Connection) bool {
	return len(c.Segments) == 0 || c.Omitted > 0 || c.LostBytes().Missing > 0
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
