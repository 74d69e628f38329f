package event

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNumber(t *testing.T) {
	rec := &Recording{
		Calls:        []*Call{{ID: 1, Start: 30}, {ID: 2, Start: 10}, {ID: 3, Start: 10}, {ID: 4, Start: 90}},
		Packets:      []Packet{{Frame: 7, Time: 15}, {Frame: 8, Time: 20}, {Frame: 9, Time: 30}},
		Segments:     []Segment{{Frame: 7}, {Frame: 9}},
		Expectations: []Expectation{{After: 1}, {After: 0}, {After: 3}},
	}
	rec.Number()
	got := map[string][]int{}
	for _, c := range rec.Calls {
		got["calls"] = append(got["calls"], c.ID)
	}
	for _, p := range rec.Packets {
		got["packets"] = append(got["packets"], int(p.Frame))
	}
	for _, s := range rec.Segments {
		got["segments"] = append(got["segments"], int(s.Frame))
	}
	for _, e := range rec.Expectations {
		got["expectations"] = append(got["expectations"], e.After)
	}
	want := map[string][]int{
		"calls": {1, 2, 5, 7}, "packets": {3, 4, 6}, "segments": {3, 6}, "expectations": {5, 0, 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Number() (-want +got):\n%s", diff)
	}
}
