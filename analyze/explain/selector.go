package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/join"
)

// Selector finds a call by what it is, not by where it stands: "server send = EPIPE" is the
// server's first send that failed so, "client close #2" the client's second close.
type Selector struct {
	Actor   string
	Call    string
	Outcome string // in the words of a script; "" means any
	Nth     int    // from 1, among those that match
}

func (s Selector) String() string {
	text := s.Actor + " " + s.Call
	if s.Outcome != "" {
		text += " = " + s.Outcome
	}
	if s.Nth > 1 {
		text += fmt.Sprintf(" #%d", s.Nth)
	}
	return text
}

func parseSelector(line string) (Selector, error) {
	s := Selector{Nth: 1}
	if i := strings.LastIndex(line, " #"); i >= 0 {
		n, err := strconv.Atoi(line[i+2:])
		if err != nil || n < 1 {
			return s, fmt.Errorf("%q: want a number from 1 behind #", line)
		}
		s.Nth, line = n, line[:i]
	}
	line, s.Outcome, _ = strings.Cut(line, " = ")
	words := strings.Fields(line)
	if len(words) != 2 {
		return s, fmt.Errorf("%q: want ACTOR CALL [= OUTCOME] [#N]", line)
	}
	s.Actor, s.Call = words[0], words[1]
	return s, nil
}

// find returns the call that s selects, nil when there is none.
func (s Selector) find(res *analyze.Result) *analyze.Call {
	n := 0
	for _, c := range res.Calls {
		if c.Actor != s.Actor || c.Name != s.Call || s.Outcome != "" && join.Outcome(c) != s.Outcome {
			continue
		}
		if n++; n == s.Nth {
			return c
		}
	}
	return nil
}

// mostRows is how many rows evidence without selectors shows.
const mostRows = 3

// Calls returns the calls of a run that are the evidence, in the run's order. The error names
// every selector that finds nothing; what was found is returned with it.
func (e Evidence) Calls(res *analyze.Result) ([]*analyze.Call, error) {
	if len(e.Rows) == 0 {
		return telling(res), nil
	}
	var found []*analyze.Call
	var missing []string
	for _, s := range e.Rows {
		if c := s.find(res); c == nil {
			missing = append(missing, s.String())
		} else if !slices.Contains(found, c) {
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(a, b *analyze.Call) int { return a.ID - b.ID })
	if len(missing) > 0 {
		return found, fmt.Errorf("evidence %s: no call %s", e.Scenario, strings.Join(missing, ", nor "))
	}
	return found, nil
}

// telling returns the calls that close, fail or meet the end of the stream.
func telling(res *analyze.Result) []*analyze.Call {
	var out []*analyze.Call
	closing := analyze.ClosingCall(res)
	for _, c := range res.Calls {
		outcome := join.Outcome(c)
		fails := c.Errno != "" && c.Errno != "EAGAIN" || outcome == "not returned"
		if (c == closing || fails || outcome == "EOF") && len(out) < mostRows {
			out = append(out, c)
		}
	}
	return out
}

// Filters returns the calls of a run before the last of calls that made an end's kernel drop segments:
// without them what an end got can't be told from what was sent.
func Filters(res *analyze.Result, calls []*analyze.Call) []*analyze.Call {
	var out []*analyze.Call
	for _, c := range res.Calls {
		if len(calls) > 0 && c.ID < calls[len(calls)-1].ID && strings.HasPrefix(c.Args, "SO_ATTACH_FILTER, ") && !slices.Contains(calls, c) {
			out = append(out, c)
		}
	}
	return out
}
