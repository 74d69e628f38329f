package endings

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
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
	for name, r := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			// A scenario may use the same addresses again: both lists are in the order of time.
			got := map[netip.AddrPort][]outcome.Outcome{}
			for _, c := range judged(r.events) {
				got[c.Client] = append(got[c.Client], outcome.Of(&c.Connection))
			}
			for _, w := range r.want {
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

// recording is what a kernel told while closecap run ran a scenario, and what that said of it.
type recording struct {
	want   []outcome.Outcome
	events []event.KernelEvent
}

func recorded(t *testing.T) map[string]recording {
	t.Helper()
	files, err := filepath.Glob("testdata/*.ndjson")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	all := map[string]recording{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r recording
		d := json.NewDecoder(bytes.NewReader(text))
		if err := d.Decode(&r.want); err != nil {
			t.Fatal(err)
		}
		for d.More() {
			var k event.KernelEvent
			if err := d.Decode(&k); err != nil {
				t.Fatal(err)
			}
			r.events = append(r.events, k)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".ndjson")] = r
	}
	return all
}

func judged(events []event.KernelEvent) []*Connection {
	return judgedWithout(events, func(event.KernelEvent) bool { return false })
}

// judgedWithout judges what is left of events when those that lost picks are not told.
func judgedWithout(events []event.KernelEvent, lost func(event.KernelEvent) bool) []*Connection {
	tr := NewTracker(Options{})
	for _, k := range events {
		if !lost(k) {
			tr.Add(k)
		}
	}
	return tr.Rest(0)
}

// TestLostReset judges the same recordings without what told of an RST: the end that sent it
// still says why, or the cause is not known. It is never another.
func TestLostReset(t *testing.T) {
	causes := map[analyze.ResetCause]bool{}
	for name, r := range recorded(t) {
		whole := map[netip.AddrPort]*Connection{}
		for _, c := range judged(r.events) {
			whole[c.Client] = c
		}
		for _, c := range judgedWithout(r.events, func(k event.KernelEvent) bool { return k.Reset != nil }) {
			want := whole[c.Client]
			if c.Reset == nil || c.Reset.Cause == analyze.UnknownCause || want.Start != c.Start || want.Reset == nil {
				continue
			}
			causes[c.Reset.Cause] = true
			if got := c.Reset.Cause; got != want.Reset.Cause || c.Reset.By != want.Reset.By {
				t.Errorf("%s: %s by %s where the RST is not told, %s by %s where it is", name, got, c.Reset.By, want.Reset.Cause, want.Reset.By)
			}
		}
	}
	for _, cause := range []analyze.ResetCause{analyze.UnreadData, analyze.LingerZero, analyze.KeepaliveTimeout, analyze.Linger2, analyze.Disconnect} {
		if !causes[cause] {
			t.Errorf("no recording tells %s without its RST", cause)
		}
	}
}

// TestLostTransition judges the same recordings where one change of state was told to nobody: the next one tells which
// state was left, and not when that was entered, nor by whom. The ending, who waits and why it was reset stay.
func TestLostTransition(t *testing.T) {
	tried := 0
	for name, r := range recorded(t) {
		for at, k := range r.events {
			if k.Endpoint == nil {
				continue
			}
			for i := 1; i < len(k.Endpoint.Steps)-1; i++ {
				tried++
				cut := *k.Endpoint
				cut.Steps = slices.Clone(cut.Steps)
				cut.Steps[i] = event.Transition{State: cut.Steps[i].State}
				if s := cut.Steps[i].State; s == event.FinWait1 || s == event.LastAck {
					cut.Fin = nil
				}
				events := slices.Clone(r.events)
				events[at].Endpoint = &cut
				compareJudged(t, name+" without the time of "+cut.Steps[i].State.String(), judged(r.events), judged(events))
			}
		}
	}
	if tried < 100 {
		t.Errorf("%d changes taken away, want more", tried)
	}
}

func compareJudged(t *testing.T, name string, want, got []*Connection) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d connections, want %d", name, len(got), len(want))
		return
	}
	for i, w := range want {
		if d := outcome.Diff([]outcome.Outcome{outcome.Of(&w.Connection)}, []outcome.Outcome{outcome.Of(&got[i].Connection)}); d != "" {
			t.Errorf("%s: whole -, without +\n%s", name, d)
		}
		for _, side := range []analyze.Side{analyze.Client, analyze.Server} {
			a, b := *w.States.Of(side), *got[i].States.Of(side)
			if !slices.EqualFunc(a, b, func(a, b analyze.StateChange) bool { return a.State == b.State }) {
				t.Errorf("%s: the %s went through %v, want %v", name, side, b, a)
			}
		}
	}
}

// TestLostReceipt judges the same recordings where an end's receipt of an RST, and so its end, was told to nobody: it
// is told of when its socket is destroyed, and its error may have been asked for by then.
func TestLostReceipt(t *testing.T) {
	tried := 0
	for name, r := range recorded(t) {
		for at, k := range r.events {
			own := func(o event.KernelEvent) bool {
				return o.Reset != nil && o.Reset.Socket != 0 && k.Endpoint != nil && o.Reset.Local == k.Endpoint.Remote && o.Reset.Remote == k.Endpoint.Local
			}
			if k.Endpoint == nil || k.Endpoint.ResetIn == 0 || !slices.ContainsFunc(r.events, own) {
				continue
			}
			tried++
			late := *k.Endpoint
			late.Steps = slices.Clone(late.Steps)
			late.Steps[len(late.Steps)-1].Time += second
			late.ResetIn, late.Errno, late.Held, late.End = 0, "", false, nil
			events := slices.Clone(r.events)
			events[at].Endpoint = &late
			for i, c := range judged(events) {
				want, got := outcome.Of(&judged(r.events)[i].Connection), outcome.Of(&c.Connection)
				want.Lost, got.Lost = analyze.Lost{}, analyze.Lost{}
				if d := outcome.Diff(want, got); d != "" {
					t.Errorf("%s: whole -, without +\n%s", name, d)
				}
			}
		}
	}
	if tried < 10 {
		t.Errorf("%d receipts taken away, want more", tried)
	}
}
