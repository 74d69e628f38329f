package compare

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// told is a run in shorthand: a line a call, "ID ACTOR NAME RESULT [from-to] [> FRAMES]".
// client and child are processes of the client's end.
func told(t *testing.T, conn *analyze.Connection, lines ...string) *analyze.Result {
	t.Helper()
	conn.ID = 1
	res := &analyze.Result{Connections: []*analyze.Connection{conn}}
	pids := map[string]int{"client": 1, "server": 2, "child": 3}
	for i, line := range lines {
		head, frames, _ := strings.Cut(line, " > ")
		w := strings.Fields(head)
		c := &analyze.Call{Connection: 1, Side: analyze.Client, Call: &event.Call{
			ID: 10 * (i + 1), Actor: w[0], PID: pids[w[0]], FD: 3, Name: w[1], Start: event.Time(i + 1), End: event.Time(i + 1),
		}}
		if w[0] == "server" {
			c.Side = analyze.Server
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

func sent(frame uint64, from analyze.Side, kind analyze.Kind) *analyze.Segment {
	return &analyze.Segment{Frame: frame, From: from, Kind: kind}
}

// answers asks all questions of the runs.
func answers(runs ...Run) map[string]Answer {
	c := Scenarios([]Candidate{{Subject: Subject{Name: "it", Runs: runs}, Advice: "when it rains"}})
	out := map[string]Answer{}
	for _, q := range c.Questions {
		out[q.ID] = q.Answers[0]
	}
	return out
}

func TestCompareClose(t *testing.T) {
	reset := &analyze.Connection{Ending: analyze.WasReset, LastFrame: 16,
		Reset:    &analyze.Reset{By: analyze.Client, Frame: 16, Cause: analyze.DataAfterClose, Lost: analyze.Lost{AfterClose: 5}},
		Segments: []*analyze.Segment{sent(11, analyze.Client, analyze.KindFin), sent(15, analyze.Server, analyze.KindData), sent(16, analyze.Client, analyze.KindRst)}}
	graceful := &analyze.Connection{Ending: analyze.Graceful, LastFrame: 22, Segments: []*analyze.Segment{sent(11, analyze.Client, analyze.KindFin)},
		TimeWait: []analyze.TimeWait{{Holder: analyze.Client}}}
	got := answers(
		Run{Name: ScenarioRun, Result: told(t, reset, "client close 0 > 11", "server send 5 0-5 > 15, 16")},
		Run{Name: "send", Result: told(t, reset, "client close 0 > 11", "server send 5 0-5 > 15, 16",
			"client recv EBADF", "server send EPIPE")},
		Run{Name: "quiet", Result: told(t, graceful, "client close 0 > 11", "server poll 1", "server recv 12 0-12",
			"server recv 0", "server recv 0", "client recv EBADF", "client send EBADF", "server close 0")},
		Run{Name: "load", Result: told(t, &analyze.Connection{Ending: analyze.WasReset}, "client send 100 20-120", "client close 0",
			"server recv EAGAIN", "server recv 50 0-50", "server recv ECONNRESET")},
		Run{Name: "fork", Result: told(t, graceful, "client close 0", "child recv EAGAIN", "child send 5 0-5",
			"server send 5 0-5", "child recv 5 0-5")},
	)
	want := map[string]Answer{
		"sent":          measured("fin", "FIN", Ref{ScenarioRun, 10}, Ref{ScenarioRun, 11}),
		"this-receives": measured("no", "no: recv says EBADF, and RST answers what comes", Ref{"send", 30}, Ref{"send", 16}),
		"this-sends":    measured("no", "no: EBADF", Ref{"quiet", 70}),
		"descriptor":    measured("no", "no: EBADF", Ref{"quiet", 60}, Ref{"quiet", 70}),
		"peer-sends":    measured("no", "no: send succeeds, and RST answers it", Ref{"send", 20}, Ref{"send", 16}),
		"peer-send":     measured("EPIPE", "5 bytes, then EPIPE", Ref{"send", 20}, Ref{"send", 40}),
		"peer-recv":     measured("EOF", "12 bytes, then EOF", Ref{"quiet", 30}, Ref{"quiet", 40}),
		"peer-poll":     measured("nothing", "nothing", Ref{"quiet", 20}),
		"lost-own": measured("no", "no: 70 of the 100 bytes of the send right before it are dropped; "+
			"only the peer is told: ECONNRESET", Ref{"load", 10}, Ref{"load", 50}),
		"lost-peer": measured("yes", "lost: 5 bytes, and that send had said success; the next send says EPIPE",
			Ref{"send", 20}, Ref{"send", 16}, Ref{"send", 40}),
		"others":    measured("no", "no: the call sends nothing, and they talk on", Ref{"fork", 10}, Ref{"fork", 30}),
		"time-wait": measured("client", "this end (client)", Ref{"quiet", 22}),
		"ending":    measured("reset", "reset: data-after-close", Ref{ScenarioRun, 16}),
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
	open := told(t, &analyze.Connection{Ending: analyze.Open}, "client send 5 0-5")
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
	both := &analyze.Connection{Ending: analyze.Graceful, LastFrame: 9, TimeWait: []analyze.TimeWait{{Holder: analyze.Client}, {Holder: analyze.Server}}}
	got := answers(
		Run{Name: ScenarioRun, Result: told(t, both, "client shutdown 0")},
		Run{Name: "quiet", Result: told(t, &analyze.Connection{Ending: analyze.FinUnacked}, "client shutdown 0")},
	)["time-wait"]
	if got.Value != "both" || !slices.Equal(got.From, []Ref{{ScenarioRun, 9}}) {
		t.Errorf("time-wait = %+v, want both, from the scenario", got)
	}
}

// TestClosingCall passes over what ends no connection, and takes the client's of two at once.
func TestClosingCall(t *testing.T) {
	res := told(t, &analyze.Connection{}, "client close EBADF", "server close 0", "server shutdown 0", "client shutdown 0", "client close 0")
	res.Calls[1].Connection = 0 // a listener that nobody connected to
	res.Calls[2].At, res.Calls[3].At = "x:5", "x:5"
	if got := analyze.ClosingCall(res); got == nil || got.ID != 40 {
		t.Errorf("ClosingCall = %+v, want #40", got)
	}
}

func TestSegmentJSON(t *testing.T) {
	want := &analyze.Segment{Frame: 6, From: analyze.Client, Flags: event.FIN | event.ACK, FlagText: "F.", Kind: analyze.KindFin}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got := new(analyze.Segment)
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
