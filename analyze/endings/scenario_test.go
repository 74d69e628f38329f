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
	tr := NewTracker(Options{})
	var now event.Time
	for d := json.NewDecoder(bytes.NewReader(events)); d.More(); {
		var k event.KernelEvent
		if err := d.Decode(&k); err != nil {
			t.Fatal(err)
		}
		tr.Add(k)
	}
	return tr.Rest(now)
}
