package event

import (
	"slices"
	"testing"
)

// What one of several recordings lost is lost of their timeline.
func TestRunAfter(t *testing.T) {
	r := Run{Dropped: 2, SameHost: true, Warnings: []string{"same"}}
	r.After(&Run{Dropped: 5, Truncated: true, Warnings: []string{"same", "other"}})
	if r.Dropped != 7 || !r.Truncated || r.SameHost || !slices.Equal(r.Warnings, []string{"same", "other"}) {
		t.Errorf("got %+v", r)
	}
}

// Calls of one moment that differ in anything are two: a log may tell time by seconds.
func TestDropRepeated(t *testing.T) {
	var r Recording
	r.AddCalls(
		Call{ID: 1, TID: 1, FD: 3, Start: 10, End: 20, Name: "send", Ret: 5},
		Call{ID: 2, TID: 1, FD: 3, Start: 10, End: 20, Name: "send", Ret: 6},
		Call{ID: 3, TID: 2, FD: 3, Start: 10, End: 20, Name: "send", Ret: 5},
		Call{ID: 4, TID: 1, FD: 3, Start: 10, End: 20, Name: "send", Ret: 5},
	)
	if n := r.DropRepeated(); n != 1 || len(r.Calls) != 3 || r.Calls[2].ID != 3 {
		t.Errorf("%d dropped, left %v", n, r.Calls)
	}
}
