package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/endings"
)

// EndingSummary adds up connections that ended. The zero value is empty.
type EndingSummary struct {
	// Ports is how many ephemeral ports there are; 0 for not known.
	Ports int

	n        uint64
	lost     uint64
	byEnding map[string]uint64
	byCause  map[string]uint64
	byCloser map[string]uint64
	byReason map[string]uint64
	waits    map[string]uint64
	clients  uint64 // TIME_WAITs that take an ephemeral port
}

// maxNames bounds the process names that are counted one by one.
const maxNames = 1000

// Add counts c.
func (s *EndingSummary) Add(c *endings.Connection) {
	if s.byEnding == nil {
		s.byEnding, s.byCause, s.byCloser = map[string]uint64{}, map[string]uint64{}, map[string]uint64{}
		s.byReason, s.waits = map[string]uint64{}, map[string]uint64{}
	}
	s.n++
	s.lost += c.LostBytes().Sum()
	s.byEnding[string(c.Ending)]++
	if c.Reset != nil {
		s.byCause[string(c.Reset.Cause)]++
	}
	countName(s.byCloser, CloserName(c))
	if w := c.LastWords; w != nil && w.Kind != "" {
		countName(s.byReason, Safe(cmp.Or(w.Said, string(w.Kind))))
	}
	for _, w := range c.TimeWait {
		name := string(w.Holder)
		if t := c.Tasks.Of(w.Holder); t != nil {
			name = Safe(t.Comm)
		}
		countName(s.waits, name)
		if w.Holder == analyze.Client {
			s.clients++
		}
	}
}

func countName(m map[string]uint64, name string) {
	if _, ok := m[name]; !ok && len(m) >= maxNames {
		name = "others"
	}
	m[name]++
}

// CloserName returns the name of the process whose call ended c, or what stands for it where no
// call did, or no kernel told of it.
func CloserName(c *endings.Connection) string {
	var cause analyze.ResetCause
	if c.Reset != nil {
		cause = c.Reset.Cause
	}
	switch {
	case c.Tasks.Closer != nil:
		return Safe(c.Tasks.Closer.Comm)
	case c.Stray, cause == analyze.ConnRefused, cause == analyze.NoSocket:
		return "nobody (no socket)"
	case c.Seen == endings.SeenEnds{}: // packets tell of the end only
		return cmp.Or(string(c.Closer), "unknown")
	case cause == analyze.Middlebox:
		return "nobody here (on the way)"
	case c.Closer == analyze.NoSide && c.Ending == analyze.Unanswered:
		return "nobody (no answer)"
	case c.Closer == analyze.NoSide && (c.Ending == analyze.Silent || c.Ending == analyze.FinUnacked), cause == analyze.KeepaliveTimeout:
		return "nobody (timer)"
	case c.Closer == analyze.NoSide:
		return "unknown"
	case c.Tasks.Of(c.Closer) != nil:
		return Safe(c.Tasks.Of(c.Closer).Comm)
	}
	return "a peer elsewhere"
}

// Write writes the summary of what ended in elapsed.
func (s *EndingSummary) Write(w io.Writer, elapsed time.Duration) error {
	var err error
	say := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(w, format, args...)
		}
	}
	lost := "" // that none is known to be lost says little
	if s.lost > 0 {
		lost = "; " + count(s.lost, "byte") + " lost"
	}
	say("%s ended in %s%s\n", count(s.n, "connection"), span(elapsed), lost)
	for _, t := range []struct {
		title string
		m     map[string]uint64
	}{{"ending", s.byEnding}, {"cause of reset", s.byCause}, {"closed first by", s.byCloser}, {"why", s.byReason}, {"TIME_WAIT at", s.waits}} {
		if len(t.m) == 0 {
			continue
		}
		say("\n%s\n", t.title)
		names := slices.SortedFunc(maps.Keys(t.m), func(a, b string) int {
			return cmp.Or(cmp.Compare(t.m[b], t.m[a]), cmp.Compare(a, b))
		})
		width := 22
		for _, name := range names {
			width = max(width, utf8.RuneCountInString(name))
		}
		for _, name := range names {
			say("  %-*s %9s\n", width, name, grouped(t.m[name]))
		}
	}
	if s.clients > 0 && elapsed > 0 {
		rate := float64(s.clients) / elapsed.Seconds()
		steady := rate * 60
		say("\nTIME_WAIT of clients begins %.1f times a second: at that rate about %s stand at a time", rate, grouped(uint64(steady)))
		if s.Ports > 0 {
			say(", %.1f %% of the %s ephemeral ports if all go to one address and port", 100*steady/float64(s.Ports), grouped(uint64(s.Ports)))
		}
		say("\n")
	}
	return err
}
