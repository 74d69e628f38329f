package report

import (
	"bytes"
	"encoding/csv"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
)

var endingEpoch = event.Time(time.Date(2026, 1, 1, 11, 50, 14, 276e6, time.UTC).UnixNano())

func ended(change func(*endings.Connection)) *endings.Connection {
	c := &endings.Connection{Connection: analyze.Connection{
		Client: netip.MustParseAddrPort("10.0.0.9:46612"), Server: netip.MustParseAddrPort("10.0.0.2:443"),
		Start: endingEpoch - event.Time(12*time.Millisecond), End: endingEpoch,
		Ending: analyze.Graceful, Closer: analyze.Client, Confidence: analyze.InKernel,
	}}
	c.Tasks.Client = &event.Task{PID: 30, Comm: "curl"}
	c.Tasks.Server = &event.Task{PID: 812, Comm: "nginx\x1b["}
	change(c)
	return c
}

func TestEndingLine(t *testing.T) {
	reset := func(c *endings.Connection, closer analyze.Side, cause analyze.ResetCause, lost analyze.Lost) {
		c.Ending, c.Closer = analyze.WasReset, closer
		c.Reset = &analyze.Reset{By: closer, Cause: cause, Confidence: analyze.InKernel, Lost: lost}
	}
	for _, tt := range []struct {
		change func(*endings.Connection)
		want   string
	}{
		{func(c *endings.Connection) {
			c.Tasks.Closer = &event.Task{PID: 30, Comm: "curl", Call: "shutdown", FD: 9, How: 1}
			c.TimeWait = []analyze.TimeWait{{Holder: analyze.Client, Until: endingEpoch.Add(time.Minute)}}
		}, `11:50:14.276  curl[30] 10.0.0.9:46612 → nginx\x1b[[812] 10.0.0.2:443  graceful, 12.0 ms  closed first: curl[30] shutdown(9, WR)  TIME_WAIT: curl until 11:51:14`},
		{func(c *endings.Connection) {
			reset(c, analyze.Server, analyze.UnreadData, analyze.Lost{Unread: 6})
			c.Tasks.Closer = &event.Task{PID: 812, Comm: "nginx", Call: "close", FD: 7}
			c.Tasks.Client = nil
		}, `11:50:14.276  nginx\x1b[[812] 10.0.0.2:443 ← 10.0.0.9:46612  reset after 12.0 ms  unread-data: nginx[812] close(7) with 6 bytes unread  lost 6`},
		{func(c *endings.Connection) {
			reset(c, analyze.Client, analyze.UnknownCause, analyze.Lost{Discarded: 9})
			c.Queued = &endings.QueuedFin{By: analyze.Server, Task: &event.Task{PID: 812, Comm: "nginx", Call: "close", FD: 7}, NS: 3e9, Bytes: 9}
		}, `11:50:14.276  curl[30] 10.0.0.9:46612 → nginx\x1b[[812] 10.0.0.2:443  reset after 12.0 ms  unknown: RST of the client; nginx[812] close(7) had come 3.0 s before: its FIN waited behind 9 bytes  lost 9`},
		{func(c *endings.Connection) {
			reset(c, analyze.Client, analyze.KeepaliveTimeout, analyze.Lost{})
		}, `11:50:14.276  curl[30] 10.0.0.9:46612 → nginx\x1b[[812] 10.0.0.2:443  reset after 12.0 ms  keepalive-timeout: RST of the client`},
		{func(c *endings.Connection) {
			reset(c, analyze.Client, analyze.DataAfterClose, analyze.Lost{AfterClose: 1})
			c.Tasks.Closer = &event.Task{PID: 30, Comm: "curl", Call: "kill", FD: -1, Signal: 9}
		}, `11:50:14.276  curl[30] 10.0.0.9:46612 → nginx\x1b[[812] 10.0.0.2:443  reset after 12.0 ms  data-after-close: curl[30] killed by signal 9, then 1 byte came  lost 1`},
		{func(c *endings.Connection) {
			reset(c, analyze.Server, analyze.ConnRefused, analyze.Lost{})
			c.Ending, c.Stray, c.Tasks = analyze.WasRefused, true, endings.Tasks{}
		}, `11:50:14.276  10.0.0.2:443 ← 10.0.0.9:46612  refused: nobody listens`},
		{func(c *endings.Connection) {
			reset(c, analyze.Server, analyze.Middlebox, analyze.Lost{})
			c.Closer, c.Reset.Confidence, c.Reset.Why = analyze.NoSide, analyze.Inferred, []string{"the server's own socket sent no RST, and stood for longer"}
		}, `11:50:14.276  curl[30] 10.0.0.9:46612 → nginx\x1b[[812] 10.0.0.2:443  reset after 12.0 ms  middlebox?: RST in the name of the server; the server's own socket sent no RST, and stood for longer`},
		// By packets alone: no processes, and what is inferred is marked.
		{func(c *endings.Connection) {
			c.Tasks = endings.Tasks{}
			c.TimeWait = []analyze.TimeWait{{Holder: analyze.Client, Until: endingEpoch.Add(time.Minute)}}
		}, `11:50:14.276  10.0.0.9:46612 → 10.0.0.2:443  graceful, 12.0 ms  closed first: the client  TIME_WAIT: client until 11:51:14`},
		{func(c *endings.Connection) {
			reset(c, analyze.Server, analyze.UnreadData, analyze.Lost{Unread: 6})
			c.Tasks, c.Confidence, c.Reset.Confidence = endings.Tasks{}, analyze.Inferred, analyze.Inferred
		}, `11:50:14.276  10.0.0.2:443 ← 10.0.0.9:46612  reset? after 12.0 ms  unread-data?: RST of the server  lost 6`},
		{func(c *endings.Connection) { // its begin was not captured
			c.Tasks, c.Closer, c.Guessed = endings.Tasks{}, analyze.NoSide, true
			c.Candidates = []analyze.Possible{{Claim: analyze.ClaimCloser, Value: "client"}}
		}, `11:50:14.276  10.0.0.9:46612 → 10.0.0.2:443  graceful  who closed first is not known`},
		// What was said last is the peers', and frames of what is nowhere saved are none.
		{func(c *endings.Connection) {
			c.LastWords = &analyze.LastWords{Reason: "the server ended it: 421 \x1b[ (frame 9) (frame 5), then closed", Said: "421 \x1b[ (frame 9)", Confidence: analyze.Inferred}
		}, `11:50:14.276  curl[30] 10.0.0.9:46612 → nginx\x1b[[812] 10.0.0.2:443  graceful, 12.0 ms  closed first: the client  why?: the server ended it: 421 \x1b[ (frame 9), then closed`},
		{func(c *endings.Connection) {
			c.LastWords = &analyze.LastWords{Client: &analyze.Words{Meaning: "GET /"}, Server: &analyze.Words{Meaning: "no Close frame", Tells: true, Confidence: analyze.Observed}}
		}, `11:50:14.276  curl[30] 10.0.0.9:46612 → nginx\x1b[[812] 10.0.0.2:443  graceful, 12.0 ms  closed first: the client  server: no Close frame`},
	} {
		if got := EndingLine(ended(tt.change), time.UTC); got != tt.want {
			t.Errorf("EndingLine = %s\nwant         %s", got, tt.want)
		}
	}
}

func TestEndingRow(t *testing.T) {
	b := AppendEndingHeading(nil)
	heading := len(b)
	b = AppendEndingRow(b, ended(func(c *endings.Connection) {
		c.Tasks.Closer = &event.Task{PID: 30, Comm: "=HYPERLINK(1,2)", Call: "close", FD: 3}
		c.Candidates = []analyze.Possible{{Claim: analyze.ClaimCloser, Value: "server"}}
		c.LastWords = &analyze.LastWords{Reason: "the server ended it", Confidence: analyze.Observed, Server: &analyze.Words{Meaning: "-ERR\x1b["}}
	}))
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, error %v", len(rows), err)
	}
	want := `2026-01-01T11:50:14.276000000Z,2026-01-01T11:50:14.264000000Z,10.0.0.9:46612,curl[30],10.0.0.2:443,nginx\x1b[[812],graceful,client,kernel,"'=HYPERLINK(1,2)[30]",close(3),,,0,,server,,the server ended it,observed,,'-ERR\x1b[`
	if got := strings.TrimSuffix(string(b[heading:]), "\n"); got != want {
		t.Errorf("AppendEndingRow = %s\nwant              %s", got, want)
	}
}

func TestEndingSummary(t *testing.T) {
	s := EndingSummary{Ports: 28232}
	for range 10 {
		s.Add(ended(func(c *endings.Connection) {
			c.Tasks.Closer = &event.Task{PID: 30, Comm: "curl"}
			c.TimeWait = []analyze.TimeWait{{Holder: analyze.Client}}
			c.Lost = &analyze.Lost{Unacked: 5}
			c.LastWords = &analyze.LastWords{Kind: analyze.ReasonGoodbye, Said: "-ERR \x1b[ " + strings.Repeat("x", 30)}
		}))
	}
	var b strings.Builder
	if err := s.Write(&b, 2*time.Second); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"10 connections ended in 2.0 s; 50 bytes lost\n", "closed first by", "curl", "TIME_WAIT at",
		`  -ERR \x1b[ ` + strings.Repeat("x", 30) + "        10\n",
		"begins 5.0 times a second: at that rate about 300 stand at a time, 1.1 % of the 28,232 ephemeral ports",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("summary lacks %q:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), " \n") {
		t.Errorf("a line ends with a space:\n%q", b.String())
	}
	b.Reset()
	if err := new(EndingSummary).Write(&b, time.Second); err != nil || b.String() != "0 connections ended in 1.0 s\n" {
		t.Errorf("of nothing %q, %v", b.String(), err)
	}
}

// Who closed first has the name of an end where no kernel told of a process.
func TestCloserName(t *testing.T) {
	for _, tt := range []struct {
		change func(*endings.Connection)
		want   string
	}{
		{func(c *endings.Connection) {}, "client"},
		{func(c *endings.Connection) { c.Closer = analyze.NoSide }, "unknown"},
		{func(c *endings.Connection) { c.Stray = true }, "nobody (no socket)"},
		{func(c *endings.Connection) { c.Seen.Server = true }, "a peer elsewhere"},
		{func(c *endings.Connection) {
			c.Seen.Client, c.Closer, c.Ending = true, analyze.NoSide, analyze.Unanswered
		}, "nobody (no answer)"},
		{func(c *endings.Connection) { c.Seen.Client, c.Closer, c.Ending = true, analyze.NoSide, analyze.Silent }, "nobody (timer)"},
		{func(c *endings.Connection) {
			c.Seen.Client, c.Closer, c.Ending = true, analyze.NoSide, analyze.UnknownEnding
		}, "unknown"},
		{func(c *endings.Connection) { c.Seen.Client, c.Reset = true, &analyze.Reset{Cause: analyze.Middlebox} }, "nobody here (on the way)"},
	} {
		if got := CloserName(ended(func(c *endings.Connection) { c.Tasks = endings.Tasks{}; tt.change(c) })); got != tt.want {
			t.Errorf("CloserName = %q, want %q", got, tt.want)
		}
	}
}

func TestEndingMetrics(t *testing.T) {
	var m EndingMetrics
	for i := range maxNames + 10 {
		m.Add(ended(func(c *endings.Connection) {
			c.Tasks.Closer = &event.Task{Comm: strings.Repeat("x", i%15) + string(rune('a'+i/15)) + `"\`}
		}))
	}
	var b strings.Builder
	if err := m.Write(&b, map[string]uint64{"ring_full": 3}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`closecap_connections_ended_total{ending="graceful",cause="",closer="client",process="a\"\\"} 1` + "\n",
		`process="others"} 10` + "\n", `closecap_lost_events_total{reason="ring_full"} 3` + "\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	if strings.Contains(b.String(), "10.0.0.") {
		t.Error("an address is a label")
	}
}
