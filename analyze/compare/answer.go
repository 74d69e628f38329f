package compare

import (
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/join"
)

func (ev *evidence) sent() Answer {
	return ev.ask(ScenarioRun, func(a *after) Answer {
		from := []Ref{a.at(a.closing)}
		var kinds []string
		for _, s := range a.causedBy(a.closing, a.closing.Side) {
			if s.Ignored == "" && (s.Kind == analyze.KindFin || s.Kind == analyze.KindRst) {
				kinds = append(kinds, strings.ToUpper(string(s.Kind)))
				from = append(from, a.frame(s.Frame))
			}
		}
		if len(kinds) == 0 {
			return measured("nothing", withExplanation("nothing", a.closing.Explain), from...)
		}
		return measured(strings.ToLower(kinds[0]), strings.Join(kinds, ", "), from...)
	})
}

// withExplanation appends what a call's own explanation adds to an answer.
func withExplanation(text, explain string) string {
	for _, known := range []string{"nothing on the wire: ", "no FIN: "} {
		explain = strings.TrimPrefix(explain, known)
	}
	if explain == "" {
		return text
	}
	return text + ": " + explain
}

// processGone answers what an end can still do whose process ended by the closing call.
func (ev *evidence) processGone() (Answer, bool) {
	base := ev.runs[ScenarioRun]
	if base == nil || !base.closing.EndsProcess() {
		return Answer{}, false
	}
	return measured("no", "no: the process is gone", base.at(base.closing)), true
}

func (ev *evidence) thisReceives() Answer {
	if a, ok := ev.processGone(); ok {
		return a
	}
	return ev.ask("send", func(a *after) Answer {
		sent, recv := first(a.peer(event.SendCall)), first(a.own(event.RecvCall))
		if got := arrived(sent, a.own(event.RecvCall)); got != nil {
			return measured("yes", "yes: "+analyze.Count(uint64(got.Ret), "byte")+" that came after it"+ev.emptyRecv(), a.at(got))
		}
		if recv == nil {
			return notMeasured()
		}
		from := []Ref{a.at(recv)}
		text := "no: recv says " + join.Outcome(recv)
		if sent != nil {
			if rst := a.answeringReset(sent, a.closing.Side); rst != nil {
				text += ", and RST answers what comes"
				from = append(from, a.frame(rst.Frame))
			}
		}
		return measured("no", text, from...)
	})
}

// emptyRecv tells of a recv that says EOF only because nothing has come.
func (ev *evidence) emptyRecv() string {
	if q := ev.runs["quiet"]; q != nil {
		if c := first(q.own(event.RecvCall)); c != nil && c.IsEOF() {
			return "; recv says EOF while nothing has"
		}
	}
	return ""
}

func (ev *evidence) thisSends() Answer {
	if a, ok := ev.processGone(); ok {
		return a
	}
	return ev.ask("quiet", func(a *after) Answer {
		c := first(a.own(event.SendCall))
		if c == nil {
			return notMeasured()
		}
		if c.Errno != "" {
			return measured("no", "no: "+c.Errno, a.at(c))
		}
		if got := arrived(c, a.peer(event.RecvCall)); got != nil {
			return measured("yes", "yes: the peer gets it", a.at(c), a.at(got))
		}
		return measured("no", "send succeeds, and the peer gets nothing", a.at(c))
	})
}

func (ev *evidence) descriptor() Answer {
	if a, ok := ev.processGone(); ok {
		return a
	}
	return ev.ask("quiet", func(a *after) Answer {
		calls := append(a.own(event.RecvCall), a.own(event.SendCall)...)
		if len(calls) == 0 {
			return notMeasured()
		}
		bad := slices.ContainsFunc(calls, func(c *analyze.Call) bool { return c.Errno == "EBADF" })
		if bad {
			return measured("no", "no: EBADF", a.refs(calls)...)
		}
		return measured("yes", "yes, until it is closed", a.refs(calls)...)
	})
}

func (ev *evidence) peerSends() Answer {
	return ev.ask("send", func(a *after) Answer {
		c := first(a.peer(event.SendCall))
		if c == nil {
			return notMeasured()
		}
		if c.Errno != "" {
			return measured("no", "no: "+c.Errno, a.at(c))
		}
		if rst := a.answeringReset(c, a.closing.Side); rst != nil {
			return measured("no", "no: send succeeds, and RST answers it", a.at(c), a.frame(rst.Frame))
		}
		if got := arrived(c, a.own(event.RecvCall)); got != nil {
			return measured("yes", "yes: this end gets it", a.at(c), a.at(got))
		}
		if got := arrived(c, a.othersOf(event.RecvCall)); got != nil {
			return measured("yes", "yes: "+got.Actor+" gets it", a.at(c), a.at(got))
		}
		return measured("unread", "send succeeds; nobody reads it", a.at(c))
	})
}

func (ev *evidence) peerSend() Answer {
	return ev.ask("send", func(a *after) Answer { return a.outcomes(a.peer(event.SendCall)) })
}

func (ev *evidence) peerRecv() Answer {
	return ev.ask("quiet", func(a *after) Answer {
		calls := a.peer(event.RecvCall)
		own := first(a.own(event.SendCall))
		for i, c := range calls { // what this end sends later is another question
			if own != nil && c.Start > own.Start {
				calls = calls[:i]
				break
			}
		}
		return a.outcomes(upTo(calls, func(c *analyze.Call) bool { return isLast(c) || c.Errno == "EAGAIN" }))
	})
}

// outcomes tells what calls returned one after the other.
func (a *after) outcomes(calls []*analyze.Call) Answer {
	if len(calls) == 0 {
		return notMeasured()
	}
	var said []string
	for _, c := range calls {
		said = append(said, outcomeWords(c))
	}
	return measured(join.Outcome(calls[len(calls)-1]), strings.Join(said, ", then "), a.refs(calls)...)
}

func outcomeWords(c *analyze.Call) string {
	switch {
	case c.Errno == "EAGAIN":
		return "nothing yet (EAGAIN)"
	case c.Kind() == event.RecvCall && c.Ret > 0, c.Kind() == event.SendCall && c.Errno == "":
		return analyze.Count(uint64(c.Ret), "byte")
	}
	return join.Outcome(c)
}

func (ev *evidence) peerPoll() Answer {
	return ev.ask("quiet", func(a *after) Answer {
		polls := a.pick(func(c *analyze.Call) bool {
			return c.Name == "poll" && c.Side == a.closing.Side.Other()
		})
		if len(polls) == 0 {
			return notMeasured()
		}
		said := polls[0].Text
		if said == "" {
			said = "nothing"
		}
		return measured(said, strings.ReplaceAll(said, "|", " "), a.at(polls[0]))
	})
}
