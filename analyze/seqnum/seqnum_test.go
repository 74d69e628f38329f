package seqnum

import "testing"

const top = Value(0xFFFFFFFF)

func TestOrderAcrossTheWrap(t *testing.T) {
	tests := []struct {
		v, w Value
		less bool
		diff int32
	}{
		{0, 0, false, 0}, {1, 2, true, -1}, {2, 1, false, 1}, {top, 0, true, -1}, {0, top, false, 1},
		{top - 9, 10, true, -20}, {0, 1<<31 - 1, true, -(1<<31 - 1)}, {0x80000000, 0x80000001, true, -1},
	}
	for _, tt := range tests {
		if got := tt.v.Less(tt.w); got != tt.less {
			t.Errorf("%d.Less(%d) = %v, want %v", tt.v, tt.w, got, tt.less)
		}
		if got, want := tt.v.LessEq(tt.w), tt.less || tt.v == tt.w; got != want {
			t.Errorf("%d.LessEq(%d) = %v, want %v", tt.v, tt.w, got, want)
		}
		if got := tt.v.Diff(tt.w); got != tt.diff {
			t.Errorf("%d.Diff(%d) = %d, want %d", tt.v, tt.w, got, tt.diff)
		}
		want := tt.v
		if tt.less {
			want = tt.w
		}
		if got := tt.v.Max(tt.w); got != want {
			t.Errorf("%d.Max(%d) = %d, want %d", tt.v, tt.w, got, want)
		}
	}
}

func TestRangesAcrossTheWrap(t *testing.T) {
	tests := []struct {
		v, from, to Value
		want        bool
	}{
		{5, 5, 10, true}, {10, 5, 10, false}, {4, 5, 10, false}, {5, 5, 5, false},
		{top, top - 1, 3, true}, {0, top - 1, 3, true}, {3, top - 1, 3, false}, {top - 2, top - 1, 3, false},
	}
	for _, tt := range tests {
		if got := tt.v.InRange(tt.from, tt.to); got != tt.want {
			t.Errorf("%d.InRange(%d, %d) = %v, want %v", tt.v, tt.from, tt.to, got, tt.want)
		}
		if got := tt.v.InWindow(tt.from, uint32(tt.to-tt.from)); got != tt.want {
			t.Errorf("%d.InWindow(%d, %d) = %v, want %v", tt.v, tt.from, tt.to-tt.from, got, tt.want)
		}
	}
	if got := top.Add(2); got != 1 {
		t.Errorf("%d.Add(2) = %d, want 1", top, got)
	}
}
