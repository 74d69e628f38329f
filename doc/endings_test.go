package doc_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/report"
)

// TestEndingsFollowTheSchema validates the lines that watch writes of what a kernel told of the scenarios.
func TestEndingsFollowTheSchema(t *testing.T) {
	line := compiled(t, "schema.json#/$defs/Ended")
	names, err := filepath.Glob("../analyze/endings/testdata/*.ndjson")
	if err != nil || len(names) < 40 {
		t.Fatalf("%d recordings, %v", len(names), err)
	}
	judged := 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		d, tracker := json.NewDecoder(bytes.NewReader(text)), endings.NewTracker(endings.Options{})
		older := endings.NewTracker(endings.Options{})
		for head := json.RawMessage(nil); d.More(); {
			if head == nil { // what run said of it
				err = d.Decode(&head)
			} else {
				var k event.KernelEvent
				err = d.Decode(&k)
				tracker.Add(k)
				if k.Endpoint != nil && len(k.Endpoint.Steps) > 1 {
					older.Add(event.KernelEvent{Endpoint: ofBefore(*k.Endpoint)})
				}
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		for _, c := range append(tracker.Rest(0), older.Rest(0)...) {
			judged++
			b, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if err := line.Validate(v); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if judged < 40 {
		t.Errorf("%d connections judged", judged)
	}
}

// ofBefore returns e as if the watching had begun just before its end.
func ofBefore(e event.Endpoint) *event.Endpoint {
	e.Born, e.Connected, e.Accepted = false, false, false
	e.Steps = slices.Clone(e.Steps[len(e.Steps)-2:])
	e.Steps[0].Time = 0
	return &e
}

// TestColumns holds what json.md says of watch's CSV to its heading.
func TestColumns(t *testing.T) {
	rows, _ := meanings(t)
	got := strings.Join(rows["Columns of watch's CSV"], ",") + "\n"
	if want := string(report.AppendEndingHeading(nil)); got != want {
		t.Errorf("json.md has %s, watch %s", got, want)
	}
}
