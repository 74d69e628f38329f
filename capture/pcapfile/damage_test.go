package pcapfile

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/intake"
)

// TestDamagedExpectation reads a recording whose second expectation has no arguments: the error
// names it and its place, and what stands before it is read.
func TestDamagedExpectation(t *testing.T) {
	var b bytes.Buffer
	run := event.Run{Tool: "test", Source: "lo"}
	w, err := NewWriter(&b, &run, Interface{})
	if err != nil {
		t.Fatal(err)
	}
	expectations := []event.Expectation{{Subject: "no-reset", Text: "one"}, {Subject: "state", Text: "two"}}
	if err := w.Close(&run, expectations, "verdict"); err != nil {
		t.Fatal(err)
	}
	rec, err := intake.ReadRecording(t.Context(), NewReader(&b, "forged", Options{}))
	var fe *FileError
	if !errors.As(err, &fe) || fe.File != "forged" || fe.Offset == 0 || !strings.Contains(err.Error(), "expectation 2 of 2: expect state") {
		t.Errorf("ReadRecording: %v, want the place of expectation 2", err)
	}
	if rec.Run.Source != "lo" || len(rec.Expectations) != 1 || rec.Expectations[0].Text != "one" {
		t.Errorf("ReadRecording = %+v, want the run and the first expectation", rec)
	}
}

// TestDamagedCalls reads calls that no recorder writes.
func TestDamagedCalls(t *testing.T) {
	good := `{"id":1,"fd":3,"start":"2026-01-01T00:00:00Z","recvq":-1}`
	for json, want := range map[string]string{
		good:                      "",
		`{"pid":-1}`:              "pid -1",
		`{"fd":-2}`:               "fd -2",
		`{"recvq":-9}`:            "recvq -9",
		`{"holders":[{"fd":-3}]}`: "holder with pid 0, fd -3",
		`{"samples":[{"left_ns":-1,"local":"","remote":"","state":"CLOSED"}]}`: "sample 1",
		`{"start":"0001-01-01T00:00:00Z"}`:                                     "beyond what nanoseconds count",
		`{"start":"1960-01-01T00:00:00Z"}`:                                     "start -",
		`{"holders":[` + strings.Repeat(`{},`, maxList) + `{}]}`:               "a list of 1025",
		`{"args":"` + strings.Repeat("x", maxCall) + `"}`:                      "bytes of JSON are beyond",
		strings.Repeat(`[`, 20_000):                                            "exceeded max depth",
	} {
		err := (&Reader{}).call([]byte(json), new(event.Call))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("call %.60s: %v, want %q", json, err, want)
		}
	}
	for _, r := range []*Reader{{calls: maxCalls}, {callText: maxCallText}} {
		if err := r.call([]byte(good), new(event.Call)); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("call number %d after %d bytes: %v, want an error", r.calls, r.callText, err)
		}
	}
}
