package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/pcapfile"
)

// watchRecording writes what watch would have saved of the kernel's events of a scenario.
func watchRecording(t *testing.T, scenario string, lost *event.KernelLosses) []byte {
	t.Helper()
	text, err := os.ReadFile("../../analyze/endings/testdata/" + scenario + ".ndjson")
	if err != nil {
		t.Fatal(err)
	}
	var recording bytes.Buffer
	about := &event.Run{Tool: "closecap"}
	w, err := pcapfile.NewWriter(&recording, about, pcapfile.Interface{})
	if err != nil {
		t.Fatal(err)
	}
	add := func(e *event.KernelEntry) {
		if err := w.Kernel(e); err != nil {
			t.Fatal(err)
		}
	}
	add(&event.KernelEntry{Begin: &event.KernelWatch{Time: 5}})
	last := event.Time(5)
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		var e event.KernelEntry
		if err := json.Unmarshal([]byte(line), &e.KernelEvent); err != nil {
			t.Fatal(err)
		}
		last = max(last, e.When())
		add(&e)
	}
	if lost != nil {
		add(&event.KernelEntry{Lost: lost})
	}
	add(&event.KernelEntry{Told: &event.KernelTold{Time: last + 1e9, End: true}})
	if err := w.Close(about, nil, "done"); err != nil {
		t.Fatal(err)
	}
	return recording.Bytes()
}

// TestCheckWatch holds recordings of watch to rules. They hold no packets: what asks for those is undecided,
// and so is all that would hold where the kernel's events were lost.
func TestCheckWatch(t *testing.T) {
	for _, tt := range []struct {
		args string
		lost *event.KernelLosses
		code int
		want string
	}{
		{"--expect|reset data-after-close by client", nil, exitDone, "1 connection"},
		{"--none|lost bytes", nil, exitFailed, "lost: after-close 12"},
		{"--none|wire server RST", nil, exitUndecided, "1 undecided"},
		{"--expect|ending reset", &event.KernelLosses{RingFull: 3}, exitUndecided, "the watching lost 3 kernel events"},
		{"--expect|ending reset|--allow-lost", &event.KernelLosses{RingFull: 3}, exitDone, "held"},
		{"--expect|ending reset|--filter|tcp", nil, exitMisused, "holds no packets"},
	} {
		var out, msg bytes.Buffer
		in := bytes.NewReader(watchRecording(t, "close", tt.lost))
		code := run(t.Context(), append([]string{"check", "-"}, strings.Split(tt.args, "|")...), streams{in: in, out: &out, err: &msg})
		if said := out.String() + msg.String(); code != tt.code || !strings.Contains(said, tt.want) {
			t.Errorf("check %s = %d, want %d and %q:\n%s", tt.args, code, tt.code, tt.want, said)
		}
	}
}

// TestCheckDropped reads a capture that says how many packets it lost: nothing holds of those.
func TestCheckDropped(t *testing.T) {
	document := `{"schema":1,"capture":{"dropped":2},"connections":[{"id":1,"ending":"graceful","client":"127.0.0.1:1","server":"127.0.0.1:2"}],"warnings":["late"]}`
	for args, want := range map[string]int{"--expect|ending graceful": exitUndecided, "--expect|ending reset": exitFailed, "--expect|ending graceful|--allow-lost": exitDone} {
		var out, msg bytes.Buffer
		code := run(t.Context(), append([]string{"check", "-"}, strings.Split(args, "|")...), streams{in: strings.NewReader(document), out: &out, err: &msg})
		if code != want || !strings.Contains(out.String(), "warning: late") || code == exitUndecided && !strings.Contains(out.String(), "the capture lost 2 packets") {
			t.Errorf("check %s = %d, want %d:\n%s%s", args, code, want, out.String(), msg.String())
		}
	}
}

// TestCheckNothing reads what watch writes as NDJSON where no connection ended: nothing.
func TestCheckNothing(t *testing.T) {
	for args, want := range map[string]int{"--none|lost bytes|--allow-none": exitDone, "--none|lost bytes": exitUndecided} {
		var out, msg bytes.Buffer
		if code := run(t.Context(), append([]string{"check", "-"}, strings.Split(args, "|")...), streams{in: strings.NewReader(""), out: &out, err: &msg}); code != want {
			t.Errorf("check %s = %d, want %d:\n%s%s", args, code, want, out.String(), msg.String())
		}
	}
}

// FuzzCheckJSON reads what others may write as closecap's JSON: it is judged or refused, and never ends the program.
func FuzzCheckJSON(f *testing.F) {
	f.Add(`{"connections":[{"ending":"reset","segments":[null]}]}`)
	f.Add(`{"connections":[null]}`)
	f.Add(`{"ending":"reset","reset":{"cause":"x","by":"y"},"candidates":[{"claim":"cause"}],"segments":[{"flags":"S"}],"time_wait":[{}]}`)
	f.Add(`{"ending":"open"}{"ending":`)
	f.Fuzz(func(t *testing.T, text string) {
		var out, msg bytes.Buffer
		code := run(t.Context(), []string{"check", "-", "--none", "lost bytes", "--expect", "wire client SYN", "--some", "time-wait client", "--expect",
			"passed client TIME_WAIT", "--none", "reset unread-data by client", "--expect", "half-close none where closer client"}, streams{in: strings.NewReader(text), out: &out, err: &msg})
		if code != exitFailed && code != exitUndecided && code != exitDone {
			t.Errorf("check = %d:\n%s", code, msg.String())
		}
	})
}
