package endings

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// said is what both witnesses, packets with calls and the kernel, say of a connection.
type said struct {
	Client   netip.AddrPort     `json:"client"`
	Server   netip.AddrPort     `json:"server"`
	Ending   analyze.Ending     `json:"ending"`
	Closer   analyze.Side       `json:"closer"`
	By       analyze.Side       `json:"by,omitempty"`
	Cause    analyze.ResetCause `json:"cause,omitempty"`
	Lost     analyze.Lost       `json:"lost,omitzero"`
	LostOwn  analyze.Lost       `json:"lost_own,omitzero"`
	TimeWait []analyze.Side     `json:"time_wait,omitempty"`
}

func saidOf(c *analyze.Connection) said {
	s := said{Client: c.Client, Server: c.Server, Ending: c.Ending, Closer: c.Closer}
	if c.Reset != nil {
		s.By, s.Cause, s.Lost = c.Reset.By, c.Reset.Cause, c.Reset.Lost
		s.Lost.Missing = 0
	}
	if c.Lost != nil {
		s.LostOwn = *c.Lost
	}
	for _, w := range c.TimeWait {
		s.TimeWait = append(s.TimeWait, w.Holder)
	}
	return s
}

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
			var want []said
			if err := json.Unmarshal(lines[0], &want); err != nil {
				t.Fatal(err)
			}
			// A scenario may use the same addresses again: both lists are in the order of time.
			got := map[netip.AddrPort][]said{}
			for _, c := range judged(t, lines[1]) {
				got[c.Client] = append(got[c.Client], saidOf(&c.Connection))
			}
			for _, w := range want {
				if len(got[w.Client]) == 0 {
					t.Errorf("%v to %v: no events, want %s", w.Client, w.Server, w.Ending)
					continue
				}
				one := got[w.Client][0]
				got[w.Client] = got[w.Client][1:]
				if diff := cmp.Diff(w, one, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
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
