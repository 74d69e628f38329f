// Package event is closecap's vocabulary: what a capture saw (Segment), what an application
// asked for (Call), what the kernel said when asked (Sample, Socket) and on its own (Endpoint, KernelReset), and all
// of one run together (Recording).
//
// It holds no judgement: what the events mean is package analyze's, where they come from is
// capture's.
package event

import (
	"fmt"
	"math"
	"time"
)

// Time is nanoseconds since the Unix epoch, UTC. Packets and calls share this clock
// (CLOCK_REALTIME). 0 means unknown.
type Time int64

// String writes t as RFC 3339 with nanoseconds, "" when unknown.
func (t Time) String() string { return string(t.AppendTo(make([]byte, 0, 32))) }

// AppendTo appends what String returns.
func (t Time) AppendTo(b []byte) []byte {
	if t == 0 {
		return b
	}
	at := time.Unix(0, int64(t)).UTC()
	b = at.AppendFormat(b, time.RFC3339) // of all layouts, the one that is not parsed anew each time
	b[len(b)-1] = '.'
	for ns, unit := at.Nanosecond(), int(1e8); unit > 0; unit /= 10 {
		b = append(b, byte('0'+ns/unit%10))
	}
	return append(b, 'Z')
}

// MarshalText writes what String does.
func (t Time) MarshalText() ([]byte, error) { return t.AppendTo(nil), nil }

// UnmarshalText reads what MarshalText wrote.
func (t *Time) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*t = 0
		return nil
	}
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("parse time: %w", err)
	}
	if v.Year() < 1678 || v.Year() > 2261 {
		return fmt.Errorf("parse time: %s is beyond what nanoseconds count", v.Format(time.DateOnly))
	}
	*t = Time(v.UnixNano())
	return nil
}

// Sub returns the time from u to t, the largest or least duration where it is beyond that.
func (t Time) Sub(u Time) time.Duration {
	d := t - u
	if (d < t) != (u > 0) {
		return time.Duration(limit(u < 0))
	}
	return time.Duration(d)
}

// Add returns t moved by d, the last or first time that can be told where it is beyond that.
func (t Time) Add(d time.Duration) Time {
	u := t + Time(d)
	if (u > t) != (d > 0) {
		if d == 0 {
			return t
		}
		return Time(limit(d > 0))
	}
	return u
}

func limit(late bool) int64 {
	if late {
		return math.MaxInt64
	}
	return math.MinInt64
}
