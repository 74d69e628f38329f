package join

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Check evaluates the recording's expectations: the outcomes that calls were to have, then
// the expect lines. The grammar is package script's.
func Check(res *analyze.Result, expectations []event.Expectation) {
	for _, c := range res.Calls {
		if c.Want == "" {
			continue
		}
		got := Outcome(c)
		res.Expectations = append(res.Expectations, analyze.Expectation{
			At: c.At, Text: "-> " + c.Want, OK: meets(c, c.Want), Got: got,
		})
	}
	if len(expectations) == 0 {
		return
	}
	x := &examined{Result: res, calls: make(map[int]*analyze.Call, len(res.Calls))}
	for _, c := range slices.Backward(res.Calls) {
		x.calls[c.ID] = c
	}
	for i := range expectations {
		e := &expectations[i]
		got, ok := x.evaluate(e)
		res.Expectations = append(res.Expectations, analyze.Expectation{At: e.At, Text: e.Text, OK: ok, Got: got})
	}
}

// examined is a result with its calls by number.
type examined struct {
	*analyze.Result
	calls map[int]*analyze.Call
}

// Outcome is what a call returned in the words of a script: an errno's name, EOF, the text
// that a recv, poll or getsockopt brought, or the number that the system call gave.
func Outcome(c *analyze.Call) string {
	switch {
	case c.End == 0:
		return "not returned"
	case c.Errno != "":
		return c.Errno
	case c.IsEOF():
		return "EOF"
	case tellsText(c) && c.Text != "":
		return strconv.Quote(c.Text)
	}
	return strconv.FormatInt(c.Ret, 10)
}

// tellsText reports whether the call's text is what it returned: data, events, an option.
func tellsText(c *analyze.Call) bool {
	return c.Kind() == event.RecvCall || c.Name == "poll" || c.Name == "getsockopt"
}

func meets(c *analyze.Call, want string) bool {
	return Outcome(c) == want || c.Errno == "" && c.End != 0 && !c.IsEOF() && strconv.FormatInt(c.Ret, 10) == want
}

// subjects say of each subject what was seen, in the words of the expectation, and whether
// that meets it.
var subjects = map[string]func(*examined, *analyze.Connection, *event.Expectation) (got string, ok bool){
	"ending": func(_ *examined, c *analyze.Connection, e *event.Expectation) (string, bool) {
		return same(string(c.Ending), e)
	},
	"closer": func(_ *examined, c *analyze.Connection, e *event.Expectation) (string, bool) {
		return same(orNone(string(c.Closer)), e)
	},
	"simultaneous": func(_ *examined, c *analyze.Connection, e *event.Expectation) (string, bool) {
		return same(map[bool]string{true: "yes", false: "no"}[c.Simultaneous], e)
	},
	"half-close":  expectHalfClose,
	"reset":       expectReset,
	"no-reset":    expectNoReset,
	"lost":        expectLost,
	"time-wait":   expectTimeWait,
	"state":       expectState,
	"passed":      expectPassed,
	"counter":     expectCounter,
	"wire":        expectWire,
	"no-wire":     expectNoWire,
	"caused":      expectCaused,
	"returned-by": expectReturnedBy,
	"holder":      expectHolder,
}

func (x *examined) evaluate(e *event.Expectation) (got string, ok bool) {
	if err := e.Check(); err != nil {
		return err.Error(), false
	}
	n := max(e.Connection, 1)
	if n > len(x.Connections) {
		return fmt.Sprintf("%d connections were seen", len(x.Connections)), false
	}
	return subjects[e.Subject](x, x.Connections[n-1], e)
}

func same(got string, e *event.Expectation) (string, bool) {
	return got, got == strings.Join(e.Args, " ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func expectHalfClose(_ *examined, c *analyze.Connection, e *event.Expectation) (string, bool) {
	if c.HalfClose == nil {
		return same("none", e)
	}
	return same(string(c.HalfClose.By), e)
}

func expectReset(_ *examined, c *analyze.Connection, e *event.Expectation) (string, bool) {
	if c.Reset == nil {
		return "no reset", false
	}
	got := fmt.Sprintf("%s by %s", c.Reset.Cause, c.Reset.By)
	return got, got == strings.Join(e.Args, " by ") || string(c.Reset.Cause) == strings.Join(e.Args, " ")
}

func expectNoReset(_ *examined, c *analyze.Connection, _ *event.Expectation) (string, bool) {
	for _, s := range c.Segments {
		if s.Kind == analyze.KindRst {
			return fmt.Sprintf("frame %d is an RST from the %s", s.Frame, s.From), false
		}
	}
	return "no reset", true
}

func expectLost(_ *examined, c *analyze.Connection, e *event.Expectation) (string, bool) {
	losses := []*analyze.Lost{c.Lost}
	if c.Reset != nil {
		losses = append(losses, &c.Reset.Lost)
	}
	var got []string
	for _, l := range losses {
		got = append(got, kindsOf(l)...)
	}
	if len(got) == 0 {
		return same("none", e)
	}
	return strings.Join(got, ", "), slices.Contains(got, strings.Join(e.Args, " "))
}

// kinds writes what l counts as an expectation does.
func kindsOf(l *analyze.Lost) []string {
	if l == nil {
		return nil
	}
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

func expectTimeWait(_ *examined, c *analyze.Connection, e *event.Expectation) (string, bool) {
	var held []string
	for _, tw := range c.TimeWait {
		if tw.EndedBy == "" && !slices.Contains(held, string(tw.Holder)) {
			held = append(held, string(tw.Holder))
		}
	}
	if len(held) == 2 {
		return same("both", e)
	}
	return same(orNone(strings.Join(held, "")), e)
}

// expectState reads the kernel's newest sample up to and with call After.
func expectState(x *examined, c *analyze.Connection, e *event.Expectation) (string, bool) {
	side, got := analyze.Side(e.Args[0]), "not sampled"
	for _, call := range x.Calls {
		if e.After != 0 && call.ID > e.After {
			break
		}
		for i := range call.Samples {
			if sampleSide(c, &call.Samples[i]) == side {
				got = call.Samples[i].State.String()
			}
		}
	}
	return string(side) + " " + got, got == e.Args[1]
}

func expectPassed(_ *examined, c *analyze.Connection, e *event.Expectation) (string, bool) {
	side := analyze.Side(e.Args[0])
	want := e.Args[1:]
	got := []string{string(side)}
	for _, ch := range *c.States.Of(side) {
		got = append(got, ch.State.String())
		if len(want) > 0 && ch.State.String() == want[0] {
			want = want[1:]
		}
	}
	return strings.Join(got, " "), len(want) == 0
}

func expectCounter(x *examined, _ *analyze.Connection, e *event.Expectation) (string, bool) {
	if x.Counters == nil {
		return "no counters outside a private namespace", true
	}
	name, want := e.Args[0], e.Args[1]
	got := x.Counters[name]
	least, atLeast := strings.CutSuffix(want, "+")
	n, err := strconv.ParseInt(least, 10, 64)
	return fmt.Sprintf("%s %d", name, got), err == nil && (got == n || atLeast && got > n)
}

func expectHolder(x *examined, _ *analyze.Connection, e *event.Expectation) (string, bool) {
	call := x.calls[e.After]
	if call == nil {
		return "no call before it", false
	}
	var who []string
	for _, h := range call.Holders {
		who = append(who, h.Actor)
	}
	return orNone(strings.Join(who, " ")), slices.Contains(who, e.Args[0]) || len(who) == 0 && e.Args[0] == "none"
}
