package analyze

import (
	"testing"

	"github.com/closecap/closecap/analyze/event"
)

// TestSelectionCalls picks one of two connections: the calls of the other, and those of no
// connection, go.
func TestSelectionCalls(t *testing.T) {
	r := &Result{
		Connections: []*Connection{{ID: 1, Ending: Graceful}, {ID: 2, Ending: WasReset}},
		Calls: []*Call{
			{Call: &event.Call{ID: 3}},
			{Call: &event.Call{ID: 4}, Connection: 1},
			{Call: &event.Call{ID: 5}, Connection: 2},
		},
	}
	for _, tt := range []struct {
		pick Selection
		want []int
	}{
		{Selection{}, []int{3, 4, 5}},
		{Selection{ID: 2}, []int{5}},
		{Selection{Ending: Open}, nil},
	} {
		calls := tt.pick.Calls(r)
		if len(calls) != len(tt.want) {
			t.Errorf("%+v picks %d calls, want %v", tt.pick, len(calls), tt.want)
			continue
		}
		for i, c := range calls {
			if c.ID != tt.want[i] {
				t.Errorf("%+v picks call %d in place %d, want %v", tt.pick, c.ID, i, tt.want)
			}
		}
	}
}
