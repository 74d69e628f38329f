package analyze

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze/event"
)

// told is a run in shorthand: a line a call, "ID ACTOR NAME RESULT [from-to] [> FRAMES]".
// client and child are processes of the client's end.
func told(t *testing.T, conn *Connection, lines ...string) *Result {
	t.Helper()
	conn.ID = 1
	res := &Result{Connections: []*Connection{conn}}
	pids := map[string]int{"client": 1, "server": 2, "child": 3}
	for i, line := range lines {
		head, frames, _ := strings.Cut(line, " > ")
		w := strings.Fields(head)
		c := &Call{Connection: 1, Side: Client, Call: event.Call{
			ID: 10 * (i + 1), Actor: w[0], PID: pids[w[0]], FD: 3, Name: w[1], Start: event.Time(i + 1), End: event.Time(i + 1),
		}}
		if w[0] == "server" {
			c.Side = Server
		}
		if json.Unmarshal([]byte(w[2]), &c.Ret) != nil {
			c.Ret, c.Errno = -1, w[2]
		}
		if len(w) > 3 {
			c.Bytes = new([2]uint64)
			if err := json.Unmarshal([]byte("["+strings.Replace(w[3], "-", ",", 1)+"]"), c.Bytes); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		if frames != "" {
			if err := json.Unmarshal([]byte("["+frames+"]"), &c.Caused); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		res.Calls = append(res.Calls, c)
	}
	return res
}

func sent(frame uint64, from Side, kind Kind) *Segment {
	return &Segment{Frame: frame, From: from, Kind: kind}
}

// answers asks all questions of the runs.
func answers(runs ...Run) map[string]Answer {
	c := Compare([]Candidate{{Subject: Subject{Name: "it", Runs: runs}, Advice: "when it rains"}})
	out := map[string]Answer{}
	for _, q := range c.Questions {
		out[q.ID] = q.Answers[0]
	}
	return out
}

func TestCompareClose(t *testing.T) {
	reset := &Connection{Ending: WasReset, LastFrame: 16,
		Reset:    &Reset{By: Client, Frame: 16, Cause: DataAfterClose, Lost: Lost{AfterClose: 5}},
		Segments: []*Segment{sent(11, Client, KindFin), sent(15, Server, KindData), sent(16, Client, KindRst)}}
	graceful := &Connection{Ending: Graceful, LastFrame: 22, Segments: []*Segment{sent(11, Client, KindFin)},
		TimeWait: []TimeWait{{Holder: Client}}}
	got := answers(
		Run{Name: ScenarioRun, Result: told(t, reset, "client close 0 > 11", "server send 5 0-5 > 15, 16")},
		Run{Name: "send", Result: told(t, reset, "client close 0 > 11", "server send 5 0-5 > 15, 16",
			"client recv EBADF", "server send EPIPE")},
		Run{Name: "quiet", Result: told(t, graceful, "client close 0 > 11", "server poll 1", "server recv 12 0-12",
			"server recv 0", "server recv 0", "client recv EBADF", "client send EBADF", "server close 0")},
		Run{Name: "load", Result: told(t, &Connection{Ending: WasReset}, "client send 100 20-120", "client close 0",
			"server recv EAGAIN", "server recv 50 0-50", "server recv ECONNRESET")},
		Run{Name: "fork", Result: told(t, graceful, "client close 0", "child recv EAGAIN", "child send 5 0-5",
			"server send 5 0-5", "child recv 5 0-5")},
	)
	want := map[string]Answer{
		"sent":          measured("fin", "FIN", Place{ScenarioRun, 10}, Place{ScenarioRun, 11}),
		"this-receives": measured("no", "no: recv says EBADF, and RST answers what comes", Place{"send", 30}, Place{"send", 16}),
		"this-sends":    measured("no", "no: EBADF", Place{"quiet", 70}),
		"descriptor":    measured("no", "no: EBADF", Place{"quiet", 60}, Place{"quiet", 70}),
		"peer-sends":    measured("no", "no: send succeeds, and RST answers it", Place{"send", 20}, Place{"send", 16}),
		"peer-send":     measured("EPIPE", "5 bytes, then EPIPE", Place{"send", 20}, Place{"send", 40}),
		"peer-recv":     measured("EOF", "12 bytes, then EOF", Place{"quiet", 30}, Place{"quiet", 40}),
		"peer-poll":     measured("nothing", "nothing", Place{"quiet", 20}),
		"lost-own": measured("no", "no: 70 of the 100 bytes of the send right before it are dropped; "+
			"only the peer is told: ECONNRESET", Place{"load", 10}, Place{"load", 50}),
		"lost-peer": measured("yes", "lost: 5 bytes, and that send had said success; the next send says EPIPE",
			Place{"send", 20}, Place{"send", 16}, Place{"send", 40}),
		"others":    measured("no", "no: the call sends nothing, and they talk on", Place{"fork", 10}, Place{"fork", 30}),
		"time-wait": measured("client", "this end (client)", Place{"quiet", 22}),
		"ending":    measured("reset", "reset: data-after-close", Place{ScenarioRun, 16}),
		"use":       {Text: "when it rains", Basis: Advice},
	}
	for id, a := range want {
		a.Scenario = "it"
		if d := cmp.Diff(a, got[id]); d != "" {
			t.Errorf("%s: want -, got +\n%s", id, d)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d questions, want %d", len(got), len(want))
	}
}

// TestCompareSilence: what no run exercised is not measured, and never guessed.
func TestCompareSilence(t *testing.T) {
	open := told(t, &Connection{Ending: Open}, "client send 5 0-5")
	for name, runs := range map[string][]Run{
		"no run":     nil,
		"no closing": {{Name: ScenarioRun, Result: open}, {Name: "send", Result: open}},
		"failed":     {{Name: ScenarioRun, Failed: "no end after 1s"}},
	} {
		for id, a := range answers(runs...) {
			if id != "use" && (a.Basis != NotMeasured || a.Text != "not measured here" || a.From != nil) {
				t.Errorf("%s: %s = %+v, want it not measured", name, id, a)
			}
		}
	}
}

// TestCompareTimeWait goes by the scenario where the quiet run did not come to its end.
func TestCompareTimeWait(t *testing.T) {
	both := &Connection{Ending: Graceful, LastFrame: 9, TimeWait: []TimeWait{{Holder: Client}, {Holder: Server}}}
	got := answers(
		Run{Name: ScenarioRun, Result: told(t, both, "client shutdown 0")},
		Run{Name: "quiet", Result: told(t, &Connection{Ending: FinUnacked}, "client shutdown 0")},
	)["time-wait"]
	if got.Value != "both" || !slices.Equal(got.From, []Place{{ScenarioRun, 9}}) {
		t.Errorf("time-wait = %+v, want both, from the scenario", got)
	}
}

// TestClosingCall passes over what ends no connection, and takes the client's of two at once.
func TestClosingCall(t *testing.T) {
	res := told(t, &Connection{}, "client close EBADF", "server close 0", "server shutdown 0", "client shutdown 0", "client close 0")
	res.Calls[1].Connection = 0 // a listener that nobody connected to
	res.Calls[2].At, res.Calls[3].At = "x:5", "x:5"
	if got := ClosingCall(res); got == nil || got.ID != 40 {
		t.Errorf("ClosingCall = %+v, want #40", got)
	}
}

func TestSegmentJSON(t *testing.T) {
	want := &Segment{Frame: 6, From: Client, Flags: event.FIN | event.ACK, FlagText: "F.", Kind: KindFin}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got := new(Segment)
	if err := json.Unmarshal(data, got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("a segment does not come back (want -, got +):\n%s", d)
	}
	if err := json.Unmarshal([]byte(`{"frame":1,"flags":"?"}`), got); err == nil {
		t.Error("unknown flags are accepted")
	}
}
