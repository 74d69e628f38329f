package endings

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/internal/outcome"
)

// TestScenarios judges what a real kernel told while closecap run ran the scenarios, and compares
// with what run said of packets and calls. The recordings are made anew by
//
//	go test ./cmd/closecap -run TestWatchAgreesWithRun -update
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.ndjson")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".ndjson"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := bytes.SplitN(text, []byte("\n"), 2)
			var want []outcome.Outcome
			if err := json.Unmarshal(lines[0], &want); err != nil {
				t.Fatal(err)
			}
			// A scenario may use the same addresses again: both lists are in the order of time.
			got := map[netip.AddrPort][]outcome.Outcome{}
			for _, c := range judged(t, lines[1]) {
				got[c.Client] = append(got[c.Client], outcome.Of(&c.Connection))
			}
			for _, w := range want {
				if len(got[w.Client]) == 0 {
					t.Errorf("%v to %v: no events, want %s", w.Client, w.Server, w.Ending)
					continue
				}
				one := got[w.Client][0]
				got[w.Client] = got[w.Client][1:]
				if diff := outcome.Diff(w, one); diff != "" {
					t.Errorf("run and kernel disagree (-run +kernel):\n%s", diff)
				}
			}
		})
	}
}

func judged(t *testing.T, events []byte) []*Connection {
	t.Helper()
	return judgedWithout(t, events, func(event.KernelEvent) bool { return false })
}

// judgedWithout judges what is left of events when those that lost picks are not told.
func judgedWithout(t *testing.T, events []byte, lost func(event.KernelEvent) bool) []*Connection {
	t.Helper()
	tr := NewTracker(Options{})
	var now event.Time
	for d := json.NewDecoder(bytes.NewReader(events)); d.More(); {
		var k event.KernelEvent
		if err := d.Decode(&k); err != nil {
			t.Fatal(err)
		}
		if !lost(k) {
			tr.Add(k)
		}
	}
	return tr.Rest(now)
}

// TestLostReset judges the same recordings without what told of an RST: the end that sent it
// still says why, or the cause is not known. It is never another.
func TestLostReset(t *testing.T) {
	files, err := filepath.Glob("testdata/*.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	causes := map[analyze.ResetCause]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, events, _ := bytes.Cut(text, []byte("\n"))
		whole := map[netip.AddrPort]*Connection{}
		for _, c := range judged(t, events) {
			whole[c.Client] = c
		}
		for _, c := range judgedWithout(t, events, func(k event.KernelEvent) bool { return k.Reset != nil }) {
			want := whole[c.Client]
			if c.Reset == nil || c.Reset.Cause == analyze.UnknownCause || want.Start != c.Start || want.Reset == nil {
				continue
			}
			causes[c.Reset.Cause] = true
			if got := c.Reset.Cause; got != want.Reset.Cause || c.Reset.By != want.Reset.By {
				t.Errorf("%s: %s by %s where the RST is not told, %s by %s where it is", filepath.Base(file), got, c.Reset.By, want.Reset.Cause, want.Reset.By)
			}
		}
	}
	for _, cause := range []analyze.ResetCause{analyze.UnreadData, analyze.LingerZero, analyze.KeepaliveTimeout, analyze.Linger2, analyze.Disconnect} {
		if !causes[cause] {
			t.Errorf("no recording tells %s without its RST", cause)
		}
	}
}
