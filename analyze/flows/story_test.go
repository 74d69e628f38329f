package flows

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/internal/story"
)

// TestStories follows the segments of each story in testdata/stories and compares what comes
// out. The comment says why it matters, and on a line "options:" what the follower is told.
func TestStories(t *testing.T) {
	story.Tell(t, "stories", "segments", func(t *testing.T, comment, segments string) string {
		conns := followAll(storyOptions(t, comment), story.Parse(t, segments))
		for _, err := range analyze.Validate(&analyze.Result{Connections: conns}) {
			t.Errorf("validate: %v", err)
		}
		return summarize(conns)
	})
}

func storyOptions(t *testing.T, comment string) analyze.Options {
	opt := analyze.Options{AllSegments: true}
	for line := range strings.Lines(comment) {
		words, ok := strings.CutPrefix(line, "options:")
		if !ok {
			continue
		}
		for _, w := range strings.Fields(words) {
			name, value, _ := strings.Cut(w, "=")
			switch name {
			case "same-host":
				opt.SameHost = true
			case "teardown-only":
				opt.AllSegments = false
			case "time-wait":
				d, err := time.ParseDuration(value)
				if err != nil {
					t.Fatal(err)
				}
				opt.TimeWait = d
			case "max-connections":
				fmt.Sscan(value, &opt.MaxConnections)
			default:
				t.Fatalf("unknown option %q", w)
			}
		}
	}
	return opt
}

// summarize writes connections as stories want them.
func summarize(conns []*analyze.Connection) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, c := range conns {
		guess := ""
		if c.Guessed {
			guess = " (guessed)"
		}
		p("connection %d: %v > %v%s, frames %d to %d", c.ID, c.Client, c.Server, guess, c.FirstFrame, c.LastFrame)
		closer := string(c.Closer)
		if closer == "" {
			closer = "nobody"
		}
		p("  %s by %s, %s, simultaneous %v", c.Ending, closer, c.Confidence, c.Simultaneous)
		if c.CloserSure != c.Confidence && c.Closer != analyze.NoSide {
			p("  closer %s", c.CloserSure)
		}
		if c.FinBy != analyze.NoSide {
			p("  fin by %s", c.FinBy)
		}
		for _, may := range c.Candidates {
			p("  perhaps %s %s: %s", may.Claim, may.Value, may.Why)
		}
		for _, w := range c.Why {
			p("  why: %s", w)
		}
		p("  packets %d:%d bytes %d:%d retransmits %d:%d", c.Packets.Client, c.Packets.Server,
			c.Bytes.Client, c.Bytes.Server, c.Retransmits.Client, c.Retransmits.Server)
		if h := c.HalfClose; h != nil {
			p("  half-close by %s, %v, %d bytes", h.By, time.Duration(h.NS), h.Bytes)
		}
		if s := c.Stall; s != nil {
			p("  stalled by %s, %v, ended %v", s.By, time.Duration(s.NS), s.Ended)
		}
		if r := c.Remapped; r != nil {
			p("  remapped: %v from %d, earlier %v", r.Address, r.Frame, r.Earlier)
		}
		if i := c.IdleClose; i != nil {
			p("  idle close by %s in %d met by %d after %v, idle %v:%v, crossed %v", i.By, i.Fin, i.Request, time.Duration(i.MarginNS),
				time.Duration(i.IdleNS.Client), time.Duration(i.IdleNS.Server), i.Crossed)
		}
		if r := c.Reset; r != nil {
			p("  reset by %s in %d: %s, %s, trigger %d", r.By, r.Frame, r.Cause, r.Confidence, r.Trigger)
			for _, w := range r.Why {
				p("    why: %s", w)
			}
			p("    lost %s", lostText(r.Lost))
		}
		if c.Lost != nil {
			p("  lost %s", lostText(*c.Lost))
		}
		if c.AlsoLost != nil {
			p("  lost %s", lostText(*c.AlsoLost))
		}
		if c.InFlight != (analyze.PerSide{}) {
			p("  in flight %d:%d", c.InFlight.Client, c.InFlight.Server)
		}
		for _, w := range c.TimeWait {
			assumed := ""
			if w.Assumed {
				assumed = " assumed"
			}
			p("  time-wait %s since %s until %s%s, %s, rearmed %v, ended by %q %d", w.Holder,
				clock(w.Since), clock(w.Until), assumed, w.Confidence, w.Rearmed, w.EndedBy, w.EndFrame)
		}
		p("  client:%s", path(c.States.Client))
		p("  server:%s", path(c.States.Server))
		for _, l := range c.LikelyCalls {
			p("  likely %s %s at %d: %s", l.Side, l.Call, l.Frame, l.Why)
		}
		p("  zeek %s %s, wireshark %d, tcptrace %s", c.Compat.ZeekConnState, c.Compat.ZeekHistory,
			c.Compat.Completeness, c.Compat.Tcptrace)
		p("  explains %q", c.Explains)
		for _, w := range c.Warnings {
			p("  warning: %s", w)
		}
		for _, s := range c.Segments {
			b.WriteString(segmentLine(s))
		}
		if c.Omitted > 0 {
			p("    %d omitted", c.Omitted)
		}
	}
	return b.String()
}

func segmentLine(s *analyze.Segment) string {
	arrow := "->"
	if s.From == analyze.Server {
		arrow = "<-"
	}
	line := fmt.Sprintf("    %d %s %s %s %d:%d ack %d", s.Frame, arrow, s.FlagText, s.Kind, s.Seq, s.Seq+int64(s.Len), s.Ack)
	if s.Answers != 0 {
		line += fmt.Sprintf(" answers %d", s.Answers)
	}
	if s.Retransmits != 0 {
		line += fmt.Sprintf(" retransmits %d", s.Retransmits)
	}
	for _, note := range s.Notes {
		line += " note: " + note
	}
	if s.Ignored != "" {
		line += " ignored: " + s.Ignored
	}
	if s.Lost != "" {
		line += " lost: " + s.Lost
	}
	return line + "\n"
}

func path(changes []analyze.StateChange) string {
	var b strings.Builder
	for _, ch := range changes {
		sure := ""
		if ch.Confidence == analyze.Inferred {
			sure = "?"
		}
		fmt.Fprintf(&b, " %s%s@%d", ch.State, sure, ch.Frame)
	}
	return b.String()
}

func clock(t event.Time) string { return fmt.Sprintf("%.3f", float64(t)/1e9) }

// lostText leaves out the TLS alerts where there are none.
func lostText(l analyze.Lost) string {
	return strings.NewReplacer("TLSAlerts:0 ", "", "Closing:0 ", "").Replace(fmt.Sprintf("%+v", l))
}
