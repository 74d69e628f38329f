package event

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// subject is what an expectation may speak of, with how many arguments and of what kind each.
type subject struct {
	least, most int
	fits        func(i int, arg string) bool // nil takes any word
}

// mostArgs is more arguments than a line of a script has room for.
const mostArgs = 1024

var subjects = map[string]subject{
	"ending":       {1, 1, nil},
	"closer":       {1, 1, nil},
	"simultaneous": {1, 1, nil},
	"half-close":   {1, 1, nil},
	"reset":        {1, 2, nil},
	"no-reset":     {0, 0, nil},
	"lost":         {1, 2, nil},
	"time-wait":    {1, 1, nil},
	"state":        {2, 2, sideAndStates},
	"passed":       {2, mostArgs, sideAndStates},
	"counter":      {2, 2, nameAndNumber},
	"wire":         {1, mostArgs, segments},
	"no-wire":      {1, 1, segments},
	"caused":       {1, mostArgs, segments},
	"returned-by":  {1, mostArgs, segments},
	"holder":       {1, 1, nil},
}

// SegmentWords are the kinds of segment that an expectation can name; ANY is each of them.
var SegmentWords = []string{"SYN", "SYN-ACK", "DATA", "FIN", "ACK", "RST", "KEEPALIVE", "PROBE", "CHALLENGE", "WINDOW", "ANY"}

func sideAndStates(i int, arg string) bool {
	if i == 0 {
		return arg == "client" || arg == "server"
	}
	_, known := ParseTCPState(arg)
	return known
}

func nameAndNumber(i int, arg string) bool {
	_, err := strconv.ParseInt(strings.TrimSuffix(arg, "+"), 10, 64)
	return i == 0 || err == nil
}

// segments accepts "[SIDE] KIND [BYTES] [again]" and "nothing".
func segments(_ int, arg string) bool {
	words := strings.Fields(arg)
	if arg == "nothing" {
		return true
	}
	if len(words) > 0 && (words[0] == "client" || words[0] == "server") {
		words = words[1:]
	}
	if len(words) == 0 || !slices.Contains(SegmentWords, words[0]) {
		return false
	}
	words = words[1:]
	if len(words) > 0 {
		if n, err := strconv.Atoi(words[0]); err == nil && n >= 0 {
			words = words[1:]
		}
	}
	return len(words) == 0 || len(words) == 1 && words[0] == "again"
}

// Check reports what keeps e from being evaluated: an unknown subject, arguments that are missing
// or of another kind, a number that cannot be.
func (e *Expectation) Check() error {
	s, known := subjects[e.Subject]
	if !known {
		return fmt.Errorf("unknown subject %q", shortened(e.Subject))
	}
	if n := len(e.Args); n < s.least || n > s.most {
		return fmt.Errorf("expect %s: want %s, got %d", e.Subject, s.wants(), n)
	}
	for i, arg := range e.Args {
		if s.fits != nil && !s.fits(i, arg) {
			return fmt.Errorf("expect %s: argument %q", e.Subject, shortened(arg))
		}
	}
	if e.Connection < 0 || e.After < 0 {
		return fmt.Errorf("expect %s: connection %d after call %d", e.Subject, e.Connection, e.After)
	}
	return nil
}

func (s *subject) wants() string {
	switch {
	case s.most == 0:
		return "no argument"
	case s.least == s.most:
		return fmt.Sprintf("arguments: %d", s.least)
	}
	return fmt.Sprintf("arguments: %d to %d", s.least, s.most)
}

func shortened(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// Check reports what no recorder writes: a time, process, descriptor or size below zero.
func (c *Call) Check() error {
	numbers := []struct {
		what     string
		n, least int64
	}{
		{"id", int64(c.ID), 0}, {"pid", int64(c.PID), 0}, {"tid", int64(c.TID), 0}, {"fd", int64(c.FD), -1},
		{"accepted fd", int64(c.Accepted), 0}, {"recvq", int64(c.RecvQ), -1},
		{"start", int64(c.Start), 0}, {"end", int64(c.End), 0}, {"abandoned", int64(c.Abandoned), 0},
	}
	for _, v := range numbers {
		if v.n < v.least {
			return fmt.Errorf("%s %d", v.what, v.n)
		}
	}
	for _, h := range c.Holders {
		if h.PID < 0 || h.FD < -1 {
			return fmt.Errorf("holder with pid %d, fd %d", h.PID, h.FD)
		}
	}
	for i := range c.Sent {
		if c.Sent[i].Time < 0 {
			return fmt.Errorf("departure %d at %d", i+1, int64(c.Sent[i].Time))
		}
	}
	for i := range c.Samples {
		s := &c.Samples[i]
		if s.Time < 0 || s.Left < 0 || s.Retransmits < 0 || s.RecvQ < 0 || s.SendQ < 0 {
			return fmt.Errorf("sample %d: a number below zero", i+1)
		}
	}
	return nil
}
