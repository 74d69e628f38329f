package join

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/expect"
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

// ofCalls say of the subjects that speak of calls, or of the whole run, what was seen, in the words of
// the expectation, and whether that meets it. The others are package expect's.
var ofCalls = map[string]func(*examined, *analyze.Connection, *event.Expectation) (got string, ok bool){
	"state":       expectState,
	"counter":     expectCounter,
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
	c := x.Connections[n-1]
	if judge := ofCalls[e.Subject]; judge != nil {
		return judge(x, c, e)
	}
	got, answer := expect.Judge(c, e.Subject, e.Args)
	return got, answer == expect.Held
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
	return cmp.Or(strings.Join(who, " "), "none"), slices.Contains(who, e.Args[0]) || len(who) == 0 && e.Args[0] == "none"
}

func expectCaused(x *examined, _ *analyze.Connection, e *event.Expectation) (string, bool) {
	call := x.calls[e.After]
	if call == nil {
		return "no call before it", false
	}
	return x.judgeFrames(call.Caused, e.Args)
}

func expectReturnedBy(x *examined, _ *analyze.Connection, e *event.Expectation) (string, bool) {
	call := x.calls[e.After]
	if call == nil {
		return "no call before it", false
	}
	return x.judgeFrames(call.ReturnedBy, e.Args)
}

func (x *examined) judgeFrames(frames []uint64, want []string) (string, bool) {
	named := make(map[uint64]bool, len(frames))
	for _, f := range frames {
		named[f] = true
	}
	var segs []*analyze.Segment
	for _, c := range x.Connections {
		for _, s := range c.Segments {
			if named[s.Frame] {
				segs = append(segs, s)
			}
		}
	}
	if len(want) == 1 && want[0] == "nothing" {
		return expect.Describe(segs), len(segs) == 0
	}
	return expect.Describe(segs), expect.InOrder(want, segs)
}
