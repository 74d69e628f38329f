package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// setUp are the calls that prepare a socket and send nothing.
var setUp = []string{"socket", "bind", "listen", "setsockopt"}

// isTraced reports whether an actor is a process as trace names it: "nginx[812]". The actors of a
// scenario have names of their own.
func isTraced(actor string) bool { return strings.HasSuffix(actor, "]") }

// foldSetUp makes one row of the calls with which a traced process sets one socket up, where nothing else
// stands between them.
func foldSetUp(rows []callRow) []callRow {
	folded := rows[:0:0]
	for i := range rows {
		if n := len(folded); n > 0 && folded[n-1].sets(&rows[i]) {
			last := &folded[n-1]
			last.also = append(last.also, rows[i].call)
			continue
		}
		folded = append(folded, rows[i])
	}
	return folded
}

// sets reports whether next goes on with what r's calls set up.
func (r *callRow) sets(next *callRow) bool {
	return r.isSetUp() && next.isSetUp() && next.call.Name != "socket" &&
		r.call.Actor == next.call.Actor && r.connection == next.connection
}

func (r *callRow) isSetUp() bool {
	c := r.call
	return c != nil && isTraced(c.Actor) && slices.Contains(setUp, c.Name) && c.Errno == "" && returned(c) &&
		c.Explain == "" && c.Note == "" && len(c.States) == 0 && len(r.segments) == 0 && len(r.shared) == 0
}

// callsLine writes the row's calls. Where named, their process stands in the row before.
func (r *callRow) callsLine(named bool) line {
	l := callLine(r.call)
	if named {
		l.text, l.hang = "  "+callName(r.call), 4
	}
	for _, c := range r.also {
		l.text += ", " + callName(c)
	}
	return l
}

// number is the number of the row's call, "1–3" of several.
func (r *callRow) number() string {
	switch n := len(r.also); {
	case r.call == nil || r.call.ID == 0:
		return ""
	case n > 0:
		return fmt.Sprintf("%d–%d", r.call.ID, r.also[n-1].ID)
	}
	return fmt.Sprint(r.call.ID)
}

// namedBefore says of each row whether its process is the one that the row of a call before it names.
func namedBefore(rows []callRow) func(i int) bool {
	var last *analyze.Call
	return func(i int) bool {
		c := rows[i].call
		if c == nil {
			return false
		}
		was := last
		last = c
		return was != nil && isTraced(c.Actor) && was.Actor == c.Actor && was.Thread == c.Thread
	}
}
