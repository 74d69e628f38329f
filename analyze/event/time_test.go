package event

import (
	"math"
	"testing"
	"time"
)

// TestTimeStopsAtItsEnds: a hostile capture may hold any time, and no sum turns round.
func TestTimeStopsAtItsEnds(t *testing.T) {
	for _, tt := range []struct {
		t    Time
		d    time.Duration
		want Time
	}{
		{1, 2, 3}, {1, 0, 1}, {3, -2, 1}, {math.MaxInt64, 0, math.MaxInt64}, {math.MinInt64, -1, math.MinInt64},
		{math.MaxInt64 - 1, time.Minute, math.MaxInt64}, {math.MinInt64 + 1, -time.Minute, math.MinInt64},
	} {
		if got := tt.t.Add(tt.d); got != tt.want {
			t.Errorf("Time(%d).Add(%d) = %d, want %d", tt.t, tt.d, got, tt.want)
		}
	}
	for _, tt := range []struct {
		t, u Time
		want time.Duration
	}{
		{3, 1, 2}, {1, 3, -2}, {1, 1, 0}, {0, 0, 0}, {-1, -1, 0}, {5, 0, 5}, {-5, 0, -5}, {math.MaxInt64, math.MaxInt64, 0},
		{math.MaxInt64, -1, math.MaxInt64}, {math.MinInt64, 1, math.MinInt64}, {0, math.MinInt64, math.MaxInt64},
		{math.MaxInt64, math.MinInt64, math.MaxInt64}, {math.MinInt64, math.MaxInt64, math.MinInt64},
	} {
		if got := tt.t.Sub(tt.u); got != tt.want {
			t.Errorf("Time(%d).Sub(%d) = %d, want %d", tt.t, tt.u, got, tt.want)
		}
	}
}
