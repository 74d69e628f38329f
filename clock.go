package closecap

import (
	"fmt"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// backwards is from which step on a clock that was set back, or the queues of a network card,
// no longer explain that a capture runs backwards.
const backwards = time.Second

// clock watches whether a timeline is one: segments are followed in the order of the file.
type clock struct {
	latest event.Time
	frame  uint64 // the first that is too early; 0 for none
	by     time.Duration
}

func (c *clock) see(segments []event.Segment) {
	for i := range segments {
		s := &segments[i]
		if s.Time > c.latest {
			c.latest = s.Time
		} else if c.frame == 0 && c.latest.Sub(s.Time) >= backwards {
			c.frame, c.by = s.Frame, c.latest.Sub(s.Time)
		}
	}
}

// warning says where the timeline breaks, "" when it does not.
func (c *clock) warning() string {
	if c.frame == 0 {
		return ""
	}
	return fmt.Sprintf("frame %d is %v earlier than one before it: a capture out of order tears connections apart (reordercap sorts it)",
		c.frame, c.by.Round(time.Millisecond))
}
