package lab

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"closecap/analyze/event"
)

func TestRowsAreNumberedInTimeOrder(t *testing.T) {
	rec := &event.Recording{
		Calls:   []event.Call{{ID: 1, Start: 30}, {ID: 2, Start: 10}, {ID: 3, Start: 10}, {ID: 4, Start: 90}},
		Packets: []event.Packet{{Time: 20}, {Time: 30}, {Time: 15}},
	}
	place := make(map[int]int)
	numberRows(rec, place)
	if want := map[int]int{2: 1, 3: 2, 1: 5, 4: 7}; !cmp.Equal(place, want) {
		t.Errorf("numberRows() places calls at %v, want %v", place, want)
	}
	for i, want := range []uint64{3, 4, 6} {
		if got := rec.Packets[i].Frame; got != want {
			t.Errorf("packet %d has frame %d, want %d", i, got, want)
		}
	}
	for i, want := range []int{1, 2, 5, 7} {
		if got := rec.Calls[i].ID; got != want {
			t.Errorf("call %d stands in row %d, want %d", i, got, want)
		}
	}
}
