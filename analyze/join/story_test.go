package join

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/internal/story"
)

// TestJoinStories joins the calls and segments of each story in testdata/joins and compares
// which call caused what.
//
// A call is a line "ID START-END ACTOR NAME(ARGS) = RESULT", with words after it that set
// pid, tid, fd, socket, local (or none), remote, text, recvq, want, io_uring, peek, holder=ACTOR:PID:FD or state=SIDE:STATE; a call without END is one
// that did not return. Actors whose name begins with "server" call on the server's socket,
// "listener" on the listening one, all others on the client's.
func TestJoinStories(t *testing.T) {
	story.Tell(t, "joins", "events", func(t *testing.T, comment, events string) string {
		rec := parseEvents(t, events)
		rec.Run.SameHost = !strings.Contains(comment, "options: two-hosts")
		res := Join(rec, analyze.Options{})
		for _, err := range analyze.Validate(res) {
			t.Errorf("validate: %v", err)
		}
		return summarizeJoin(res)
	})
}

func parseEvents(t *testing.T, text string) *event.Recording {
	t.Helper()
	rec := &event.Recording{}
	var segments []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		switch {
		case line == "":
		case strings.Contains(words[1], "-"):
			rec.Calls = append(rec.Calls, parseCallLine(t, line))
		default:
			segments = append(segments, line)
		}
	}
	rec.Segments = story.Parse(t, strings.Join(segments, "\n"))
	return rec
}

var (
	storyClient = netip.MustParseAddrPort("10.0.0.1:40000")
	storyServer = netip.MustParseAddrPort("10.0.0.2:80")
)

func parseCallLine(t *testing.T, line string) *event.Call {
	t.Helper()
	head, tail, found := strings.Cut(line, " = ")
	open, shut := strings.Index(head, "("), strings.LastIndex(head, ")")
	words, after := strings.Fields(head[:max(open, 0)]), strings.Fields(tail)
	if !found || shut < open || len(words) != 4 || len(after) == 0 {
		t.Fatalf("no call: %s", line)
	}
	c := &event.Call{Actor: words[2], Name: words[3], Args: head[open+1 : shut], FD: 3, RecvQ: -1}
	fmt.Sscan(words[0], &c.ID)
	start, end, _ := strings.Cut(words[1], "-")
	c.Start = at(t, start)
	if end != "" {
		c.End = at(t, end)
	}
	c.Local, c.Remote, c.Socket, c.PID = storyClient, storyServer, 1, 100
	switch {
	case strings.HasPrefix(c.Actor, "server"):
		c.Local, c.Remote, c.Socket, c.PID = storyServer, storyClient, 2, 200
	case c.Actor == "listener":
		c.Local, c.Remote, c.Socket, c.PID = storyServer, netip.AddrPort{}, 3, 200
	}
	c.TID = c.PID
	for i, w := range after {
		setCallField(t, c, i, w)
	}
	return c
}

func at(t *testing.T, text string) event.Time {
	t.Helper()
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return event.Time(f * 1e9)
}

func setCallField(t *testing.T, c *event.Call, i int, w string) {
	t.Helper()
	key, value, hasValue := strings.Cut(w, "=")
	switch {
	case i == 0:
		fmt.Sscan(w, &c.Ret)
	case !hasValue:
		c.Errno = w
	case key == "pid":
		fmt.Sscan(value, &c.PID)
		c.TID = c.PID
	case key == "tid":
		fmt.Sscan(value, &c.TID)
	case key == "socket":
		fmt.Sscan(value, &c.Socket)
	case key == "fd":
		fmt.Sscan(value, &c.FD)
	case key == "abandoned":
		c.Abandoned = at(t, value)
	case key == "recvq":
		fmt.Sscan(value, &c.RecvQ)
	case key == "want":
		c.Want = value
	case key == "blocked":
		c.Blocked = value == "yes"
	case key == "io_uring":
		c.Ring = value == "yes"
	case key == "peek":
		c.Peek = value == "yes"
	case key == "local" && value == "none":
		c.Local, c.Remote = netip.AddrPort{}, netip.AddrPort{}
	case key == "local":
		c.Local = netip.MustParseAddrPort(value)
	case key == "remote":
		c.Remote = netip.MustParseAddrPort(value)
	case key == "text":
		c.Text = value
		if text, err := strconv.Unquote(value); err == nil {
			c.Text = text
		}
	case key == "holder":
		p := strings.Split(value, ":")
		h := event.Holder{Actor: p[0]}
		fmt.Sscan(p[1], &h.PID)
		fmt.Sscan(p[2], &h.FD)
		c.Holders = append(c.Holders, h)
	case key == "state":
		side, name, _ := strings.Cut(value, ":")
		s := event.Sample{Time: c.End, Local: storyClient, Remote: storyServer}
		if side == string(analyze.Server) {
			s.Local, s.Remote = s.Remote, s.Local
		}
		if err := s.State.UnmarshalText([]byte(name)); err != nil {
			t.Fatal(err)
		}
		c.Samples = append(c.Samples, s)
	default:
		t.Fatalf("unknown word %q", w)
	}
}

// summarizeJoin writes what linking added.
func summarizeJoin(res *analyze.Result) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, c := range res.Calls {
		line := fmt.Sprintf("#%d %s %s: conn %d %s", c.ID, c.Actor, c.Name, c.Connection, c.Side)
		if c.Bytes != nil {
			line += fmt.Sprintf(" bytes %d:%d", c.Bytes[0], c.Bytes[1])
		}
		line += fmt.Sprintf(" caused %v returned by %v", c.Caused, c.ReturnedBy)
		p("%s", line)
		if c.Explain != "" {
			p("  why: %s", c.Explain)
		}
	}
	for _, conn := range res.Connections {
		p("connection %d: %s, closer %s", conn.ID, conn.Ending, cmp.Or(string(conn.Closer), "none"))
		if r := conn.Relay; r != nil {
			p("  relayed by %s with connection %d, %s: %d bytes, the first by #%d and #%d, ended by #%d after #%d", r.Actor, r.Leg, r.Confidence,
				r.Bytes, r.Received, r.Sent, r.Call, r.After)
		}
		lost := func(l analyze.Lost) string {
			return strings.NewReplacer("TLSAlerts:0 ", "", "Closing:0 ", "").Replace(fmt.Sprintf("%+v", l))
		}
		if conn.Lost != nil {
			p("  lost %s", lost(*conn.Lost))
		}
		if conn.AlsoLost != nil {
			p("  lost %s", lost(*conn.AlsoLost))
		}
		if r := conn.Reset; r != nil {
			p("  reset by %s in %d: %s, %s, trigger %d, call %d, lost %s", r.By, r.Frame, r.Cause, r.Confidence, r.Trigger, r.Call, lost(r.Lost))
			for _, w := range r.Why {
				p("    why: %s", w)
			}
		}
		for _, l := range conn.LikelyCalls {
			p("  likely %s %s at %d: %s", l.Side, l.Call, l.Frame, l.Why)
		}
		for _, s := range conn.Segments {
			line := fmt.Sprintf("  %d %s %s: %s", s.Frame, s.From, s.Kind, s.Root.Kind)
			if s.Root.Call != 0 {
				line += fmt.Sprintf(" call %d", s.Root.Call)
			}
			if len(s.Root.Calls) > 0 {
				line += fmt.Sprintf(" of %v", s.Root.Calls)
			}
			if s.Root.Timer != "" {
				line += " " + s.Root.Timer
			}
			if s.Root.Frame != 0 {
				line += fmt.Sprintf(" frame %d", s.Root.Frame)
			}
			if s.Root.Why != "" {
				line += " (" + s.Root.Why + ")"
			}
			p("%s", line)
		}
		for _, w := range slices.Concat(res.Warnings, conn.Warnings) {
			p("  warning: %s", w)
		}
	}
	for _, e := range res.Expectations {
		p("%s: met %v, got %s", e.Text, e.OK, e.Got)
	}
	return b.String()
}
