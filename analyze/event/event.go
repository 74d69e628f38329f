// Package event is closecap's vocabulary: what a capture saw (Segment), what an application
// asked for (Call), what the kernel said (Sample), and all of one run together (Recording).
//
// It holds no judgement: what the events mean is package analyze's, where they come from is
// capture's.
package event

import (
	"fmt"
	"time"
)

// Time is nanoseconds since the Unix epoch, UTC. Packets and calls share this clock
// (CLOCK_REALTIME). 0 means unknown.
type Time int64

const timeLayout = "2006-01-02T15:04:05.000000000Z"

// String writes t as RFC 3339 with nanoseconds, "" when unknown.
func (t Time) String() string {
	if t == 0 {
		return ""
	}
	return time.Unix(0, int64(t)).UTC().Format(timeLayout)
}

// MarshalText writes what String does.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

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

// Sub returns the time from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Add returns t moved by d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }
