package pcaps_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/join"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/lab/script"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/pcaps"
)

var update = flag.Bool("update", false, "rewrite the expected analyses")

// TestExpectedAnalysis holds the analyzer to the analysis beside each recording.
func TestExpectedAnalysis(t *testing.T) {
	names := pcaps.Names()
	if len(names) == 0 {
		t.Fatal("there is no recording")
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			res := join.Join(read(t, name), analyze.Options{})
			var got bytes.Buffer
			if err := report.Write(&got, report.JSON, res, report.Options{}); err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(name+".json", got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("analysis of %s.pcapng (-want +got):\n%s", name, diff)
			}
			for _, err := range analyze.Validate(res) {
				t.Error(err)
			}
		})
	}
}

// TestEveryScenarioIsRecorded also holds each recording to its own expectations.
func TestEveryScenarioIsRecorded(t *testing.T) {
	names := pcaps.Names()
	for _, s := range script.Builtin() {
		if !slices.Contains(names, s.Name) {
			t.Errorf("scenario %s has no recording: make pcaps", s.Name)
		}
	}
	for _, name := range names {
		b, err := os.ReadFile(name + ".json")
		if err != nil {
			t.Error(err)
			continue
		}
		var r analyze.Result
		if err := json.Unmarshal(b, &r); err != nil {
			t.Errorf("%s.json: %v", name, err)
		}
		if len(r.Expectations) == 0 {
			t.Errorf("%s.json: no expectation", name)
		}
		for _, e := range r.Expectations {
			if !e.OK {
				t.Errorf("%s.json: %s: %s: got %s", name, e.At, e.Text, e.Got)
			}
		}
	}
}

// TestWithoutCalls takes the calls away: what the wire alone suggests may be less than what
// calls and kernel say, and must never contradict it.
func TestWithoutCalls(t *testing.T) {
	for _, name := range pcaps.Names() {
		t.Run(name, func(t *testing.T) {
			rec := read(t, name)
			full := join.Join(rec, analyze.Options{})
			for _, sameHost := range []bool{true, false} {
				bare := *rec
				bare.Calls, bare.Expectations = nil, nil
				bare.Run.SameHost = sameHost
				wire := join.Join(&bare, analyze.Options{})
				if len(wire.Connections) != len(full.Connections) {
					t.Fatalf("%d connections, with calls %d", len(wire.Connections), len(full.Connections))
				}
				for i, c := range wire.Connections {
					agree(t, c, full.Connections[i])
				}
			}
		})
	}
}

func agree(t *testing.T, wire, full *analyze.Connection) {
	t.Helper()
	if wire.Ending != full.Ending && wire.Ending != analyze.UnknownEnding {
		t.Errorf("connection %d: ending %s from the wire, %s with calls", wire.ID, wire.Ending, full.Ending)
	}
	if wire.Closer != full.Closer && wire.Closer != analyze.NoSide {
		t.Errorf("connection %d: closer %s from the wire, %s with calls", wire.ID, wire.Closer, full.Closer)
	}
	if wire.Reset == nil || full.Reset == nil {
		return
	}
	if !compatible(wire.Reset.Cause, full.Reset.Cause) {
		t.Errorf("connection %d: reset cause %s from the wire, %s with calls", wire.ID, wire.Reset.Cause, full.Reset.Cause)
	}
}

// compatible reports whether the wire's cause says nothing against the known one: an abort
// whose call is not known may be any active one.
func compatible(wire, known analyze.ResetCause) bool {
	switch wire {
	case known, analyze.UnknownCause:
		return true
	case analyze.Aborted:
		return slices.Contains([]analyze.ResetCause{
			analyze.UnreadData, analyze.LingerZero, analyze.Disconnect, analyze.ListenerClosed,
			analyze.KeepaliveTimeout, analyze.Linger2,
		}, known)
	}
	return false
}

func read(t *testing.T, name string) *event.Recording {
	t.Helper()
	b, err := pcaps.Recording(name)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := intake.ReadRecording(t.Context(), pcapfile.NewReader(bytes.NewReader(b), name, pcapfile.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	return rec
}
