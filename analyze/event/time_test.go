package event

import (
	"math"
	"testing"
	"time"
)

// TestTimeAsText holds the text of a time to what the standard library formats, also before 1970 and at the ends.
func TestTimeAsText(t *testing.T) {
	for _, at := range []Time{1, -1, 1e9, 1e9 - 1, 951782399999999999, 951782400000000000, 1700000000120000000, -1700000000000000007,
		math.MaxInt64, math.MinInt64} {
		if got, want := at.String(), time.Unix(0, int64(at)).UTC().Format("2006-01-02T15:04:05.000000000Z"); got != want {
			t.Errorf("Time(%d) = %s, want %s", at, got, want)
		}
	}
	if got := Time(0).String(); got != "" {
		t.Errorf("Time(0) = %q, want none", got)
	}
}

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
