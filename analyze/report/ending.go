package report

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
)

// EndingLine writes a connection that ended, as kernel or packets told, as one line: when it ended, both ends with
// the closer's first, how, why and by whom, what was lost, who waits, and why in the words of what was said last.
func EndingLine(c *endings.Connection, zone *time.Location) string {
	left, right, arrow := analyze.Client, analyze.Server, "→"
	if c.Closer == analyze.Server {
		left, right, arrow = right, left, "←"
	}
	parts := []string{
		fmt.Sprintf("%s  %s %s %s", at(c.End, zone), endName(c, left), arrow, endName(c, right)),
		endedHow(c),
	}
	for _, s := range []string{endedWhy(c) + queuedWords(c), endingLostWords(c), waitWords(c, zone), endingSaid(&c.Connection)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "  ")
}

func at(t event.Time, zone *time.Location) string {
	return time.Unix(0, int64(t)).In(zone).Format("15:04:05.000")
}

func endName(c *endings.Connection, s analyze.Side) string {
	addr := c.Client
	if s == analyze.Server {
		addr = c.Server
	}
	text := addr.String()
	if addr.Addr() == (netip.Addr{}) {
		text = "?"
	}
	if t := c.Tasks.Of(s); t != nil {
		return taskName(t) + " " + text
	}
	return text
}

func taskName(t *event.Task) string { return fmt.Sprintf("%s[%d]", Safe(t.Comm), t.PID) }

func endedHow(c *endings.Connection) string {
	age := ""
	if c.Start != 0 && !c.Stray && !c.Guessed {
		age = span(c.End.Sub(c.Start))
	}
	ending := doubtedEnding(&c.Connection)
	switch {
	case c.Ending == analyze.WasRefused && c.Reset.Confidence == analyze.InKernel && c.Stray:
		return "refused: nobody listens"
	case age == "":
		return ending
	case c.Ending == analyze.Graceful:
		return ending + ", " + age
	}
	return fmt.Sprintf("%s after %s", ending, age)
}

// endedWhy names the cause and the call, as far as the kernel said them.
func endedWhy(c *endings.Connection) string {
	doer := "the " + string(c.Closer)
	if t := c.Tasks.Closer; t != nil {
		doer = fmt.Sprintf("%s %s", taskName(t), taskCall(t))
	}
	if c.Reset == nil {
		switch {
		case c.Closer == analyze.NoSide && len(c.Candidates) > 0:
			return "who closed first is not known"
		case c.Closer == analyze.NoSide:
			return strings.Join(c.Why, "; ")
		case c.Closer == analyze.Both:
			return "closed by both at once"
		case c.Ending == analyze.Unanswered: // it may have waited for long, and not without reason
			return fmt.Sprintf("given up: %s; %s", doer, strings.Join(c.Why, "; "))
		}
		return "closed first: " + doer
	}
	r := c.Reset
	cause := resetCauseWords(&c.Connection)
	switch {
	case c.Ending == analyze.WasRefused:
		return ""
	case r.Cause == analyze.UnreadData && c.Tasks.Closer != nil:
		return fmt.Sprintf("%s: %s with %s unread", cause, doer, count(r.Lost.Unread, "byte"))
	case r.Cause == analyze.Middlebox:
		return fmt.Sprintf("%s: RST in the name of the %s; %s", cause, r.By, strings.Join(r.Why, "; "))
	case r.Cause == analyze.DataAfterClose && r.Lost.AfterClose > 0:
		return fmt.Sprintf("%s: %s, then %s came", cause, doer, count(r.Lost.AfterClose, "byte"))
	case c.Tasks.Closer != nil:
		return fmt.Sprintf("%s: %s", cause, doer)
	}
	return fmt.Sprintf("%s: RST of the %s", cause, r.By)
}

// queuedWords names the close of the other end, whose FIN never left.
func queuedWords(c *endings.Connection) string {
	q := c.Queued
	if q == nil {
		return ""
	}
	return fmt.Sprintf("; %s %s had come %s before: its FIN waited behind %s", taskName(q.Task), taskCall(q.Task),
		span(time.Duration(q.NS)), count(q.Bytes, "byte"))
}

// shutdownHow are the second arguments of shutdown.
var shutdownHow = [...]string{"RD", "WR", "RDWR"}

func taskCall(t *event.Task) string {
	switch {
	case t.Call == "":
		return ""
	case t.Call == "kill":
		return fmt.Sprintf("killed by signal %d", t.Signal)
	case t.FD < 0:
		return t.Call
	case t.Call == "shutdown" && t.How >= 0 && t.How < len(shutdownHow):
		return fmt.Sprintf("shutdown(%d, %s)", t.FD, shutdownHow[t.How])
	}
	return fmt.Sprintf("%s(%d)", t.Call, t.FD)
}

func endingLostWords(c *endings.Connection) string {
	if n := lostWords(&c.Connection); n != "" {
		return "lost " + n
	}
	return ""
}

func waitWords(c *endings.Connection, zone *time.Location) string {
	if len(c.TimeWait) == 0 {
		return ""
	}
	var who []string
	for _, w := range c.TimeWait {
		name := string(w.Holder)
		if t := c.Tasks.Of(w.Holder); t != nil {
			name = Safe(t.Comm)
		}
		who = append(who, name)
	}
	until := time.Unix(0, int64(c.TimeWait[0].Until)).In(zone).Format("15:04:05")
	return "TIME_WAIT: " + and(who) + " until " + until
}

// frameNumber is left out of a line: nobody has the file to look it up in.
var frameNumber = regexp.MustCompile(` \(frame [0-9]+\)`)

// endingSaid says why in the words of what was said last, else what each end said that bears on it.
func endingSaid(c *analyze.Connection) string {
	l := c.LastWords
	if l == nil {
		return ""
	}
	if l.Reason != "" {
		before, after, _ := strings.Cut(l.Reason, l.Said)
		return "why" + doubt(l.Confidence, false) + ": " + Safe(frameNumber.ReplaceAllString(before, "")+l.Said+frameNumber.ReplaceAllString(after, ""))
	}
	var parts []string
	for _, side := range [...]analyze.Side{analyze.Client, analyze.Server} {
		if w := *l.Of(side); w != nil && w.Tells {
			parts = append(parts, string(side)+doubt(w.Confidence, false)+": "+Safe(w.Meaning))
		}
	}
	return strings.Join(parts, "; ")
}

// endingColumns are the columns of CSV.
var endingColumns = []struct {
	name  string
	value func(c *endings.Connection) string
}{
	{"end", func(c *endings.Connection) string { return c.End.String() }},
	{"start", func(c *endings.Connection) string { return c.Start.String() }},
	{"client", func(c *endings.Connection) string { return c.Client.String() }},
	{"client_process", func(c *endings.Connection) string { return processName(c.Tasks.Client) }},
	{"server", func(c *endings.Connection) string { return c.Server.String() }},
	{"server_process", func(c *endings.Connection) string { return processName(c.Tasks.Server) }},
	{"ending", func(c *endings.Connection) string { return string(c.Ending) }},
	{"closer", func(c *endings.Connection) string { return string(c.Closer) }},
	{"confidence", func(c *endings.Connection) string { return string(c.Confidence) }},
	{"closed_by", func(c *endings.Connection) string { return processName(c.Tasks.Closer) }},
	{"call", func(c *endings.Connection) string {
		if c.Tasks.Closer == nil {
			return ""
		}
		return taskCall(c.Tasks.Closer)
	}},
	{"cause", func(c *endings.Connection) string {
		if c.Reset == nil {
			return ""
		}
		return string(c.Reset.Cause)
	}},
	{"reset_by", func(c *endings.Connection) string {
		if c.Reset == nil {
			return ""
		}
		return string(c.Reset.By)
	}},
	{"lost_bytes", func(c *endings.Connection) string { return strconv.FormatUint(c.LostBytes().Sum(), 10) }},
	{"time_wait", func(c *endings.Connection) string {
		var who []string
		for _, w := range c.TimeWait {
			who = append(who, string(w.Holder))
		}
		return strings.Join(who, " ")
	}},
	{"closer_candidates", func(c *endings.Connection) string { return candidates(&c.Connection, analyze.ClaimCloser, " ") }},
	{"cause_candidates", func(c *endings.Connection) string { return candidates(&c.Connection, analyze.ClaimCause, " ") }},
	{"reason", ofEndingWords(func(l *analyze.LastWords) string { return l.Reason })},
	{"reason_confidence", ofEndingWords(func(l *analyze.LastWords) string { return string(l.Confidence) })},
	{"client_words", ofEndingWords(func(l *analyze.LastWords) string { return wordsOf(l.Client) })},
	{"server_words", ofEndingWords(func(l *analyze.LastWords) string { return wordsOf(l.Server) })},
}

func ofEndingWords(f func(*analyze.LastWords) string) func(*endings.Connection) string {
	of := ofWords(f)
	return func(c *endings.Connection) string { return of(&c.Connection) }
}

func processName(t *event.Task) string {
	if t == nil {
		return ""
	}
	return taskName(t)
}

// AppendEndingHeading appends the line of CSV that names the columns.
func AppendEndingHeading(b []byte) []byte {
	return appendRow(b, len(endingColumns), func(i int) string { return endingColumns[i].name })
}

// AppendEndingRow appends c's line of CSV.
func AppendEndingRow(b []byte, c *endings.Connection) []byte {
	return appendRow(b, len(endingColumns), func(i int) string { return endingColumns[i].value(c) })
}
