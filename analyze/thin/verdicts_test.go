package thin_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/internal/story"
)

const verdictsFile = "testdata/verdicts.txt"

// TestVerdicts compares what is said of thinner captures of the stories with testdata/verdicts.txt: the
// story's name, the frames that are left of it, and the verdict on each connection. Every row is there for a
// condition that no story holds (make mutate).
func TestVerdicts(t *testing.T) {
	text, err := os.ReadFile(verdictsFile)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]input{}
	for _, in := range stories(t) {
		byName[in.name] = in
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if line[0] == '#' || name == "" {
			out.WriteString(line)
			continue
		}
		frames, want, _ := strings.Cut(rest, ": ")
		in, ok := byName[name]
		if !ok {
			t.Errorf("no story %s", name)
		}
		got := saidOf(follow(only(t, in.segments, frames), in.sameHost))
		if got != want && !story.Updating() {
			t.Errorf("%s: %s: %s, want %s", name, frames, got, want)
		}
		fmt.Fprintf(&out, "%s: %s: %s\n", name, frames, got)
	}
	if story.Updating() {
		if err := os.WriteFile(verdictsFile, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// only returns the segments of those frames: "1-5,7".
func only(t *testing.T, segments []event.Segment, frames string) []event.Segment {
	t.Helper()
	var some []event.Segment
	for part := range strings.SplitSeq(frames, ",") {
		from, to, ranged := strings.Cut(part, "-")
		first, err := strconv.ParseUint(from, 10, 64)
		last := first
		if ranged && err == nil {
			last, err = strconv.ParseUint(to, 10, 64)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range segments {
			if first <= s.Frame && s.Frame <= last {
				some = append(some, s)
			}
		}
	}
	return some
}

// saidOf writes what a list of connections tells: of each one's ending, closer, reset, loss, half-close, idle close,
// TIME_WAIT, and what is in doubt.
func saidOf(conns []*analyze.Connection) string {
	var all []string
	for _, c := range conns {
		words := []string{fmt.Sprintf("%s %s", c.Ending, c.Confidence)}
		say := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
		if c.Closer != "" {
			say("closer %s %s", c.Closer, c.CloserSure)
		}
		if c.FinBy != "" {
			say("FIN by %s", c.FinBy)
		}
		if c.Simultaneous {
			say("simultaneous")
		}
		if h := c.HalfClose; h != nil {
			say("half-close of %s %d ns %d bytes", h.By, h.NS, h.Bytes)
		}
		if s := c.Stall; s != nil {
			say("stall of %s %d ns", s.By, s.NS)
		}
		if r := c.Reset; r != nil {
			say("reset by %s in %d drawn by %d: %s %s", r.By, r.Frame, r.Trigger, r.Cause, r.Confidence)
		}
		if i := c.IdleClose; i != nil {
			say("idle close by %s in %d met by %d, %d and %d ns idle, crossed %v", i.By, i.Fin, i.Request, i.IdleNS.Client, i.IdleNS.Server, i.Crossed)
		}
		for l := range c.Losses() {
			if n := l.Unacked + l.Unread + l.AfterClose + l.MayBe + l.Missing; n > 0 {
				say("lost of %s %d unacked %d unread %d after close %d perhaps %d missing", l.From, l.Unacked, l.Unread, l.AfterClose, l.MayBe, l.Missing)
			}
		}
		if c.InFlight != (analyze.PerSide{}) {
			say("in flight %d and %d", c.InFlight.Client, c.InFlight.Server)
		}
		for _, w := range c.TimeWait {
			say("TIME_WAIT of %s %s%s", w.Holder, w.Confidence, strings.TrimRight(" "+w.EndedBy, " "))
		}
		for _, p := range c.Candidates {
			say("perhaps %s %s", p.Claim, p.Value)
		}
		for _, l := range c.LikelyCalls {
			say("likely %s %s in %d", l.Side, l.Call, l.Frame)
		}
		for _, s := range c.Segments {
			if s.Lost != "" {
				say("frame %d lost", s.Frame)
			}
		}
		if n := len(c.Warnings); n > 0 {
			say("%s", analyze.Count(uint64(n), "warning"))
		}
		all = append(all, strings.Join(words, ", "))
	}
	return strings.Join(all, "; ")
}
