package partial_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze/partial"
)

func TestPlan(t *testing.T) {
	got := partial.Plan([]partial.Facts{
		{Point: "b", File: "b1", Index: 0, Frames: 5, Interfaces: 1, First: 10, Latest: 20},
		{Point: "a", File: "a3", Index: 1, Frames: 7, Interfaces: 2, First: 30, Latest: 40},
		{Point: "a", File: "a2", Index: 2, Frames: 11, Interfaces: 1, First: 20, Latest: 30}, // touches a3, which comes first
		{Point: "a", File: "a1", Index: 3, Frames: 13, Interfaces: 3, First: 10, Latest: 19},
		{Point: "a", File: "empty", Index: 4, Interfaces: 1},
		{Point: "a", File: "a4", Index: 5, Frames: 17, Interfaces: 1, First: 40, Latest: 60}, // after a3
		{Point: "a", File: "inside", Index: 6, Frames: 1, Interfaces: 1, First: 50, Latest: 51},
		{Point: "a", File: "a5", Index: 7, Frames: 1, Interfaces: 1, First: 59, Latest: 61},
	})
	want := []partial.Run{
		{Point: "a", Files: []string{"a1"}, Frames: 13},
		{Point: "a", Files: []string{"a3", "a2"}, Frames: 18, Frame: 13, Interface: 3},
		{Point: "a", Files: []string{"a4", "inside", "a5"}, Frames: 19, Frame: 31, Interface: 6},
		{Point: "b", Files: []string{"b1"}, Frames: 5},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Plan (-want +got):\n%s", diff)
	}
}
