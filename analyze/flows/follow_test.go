package flows

import (
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/internal/story"
)

func followAll(opt analyze.Options, segments []event.Segment) []*analyze.Connection {
	var out []*analyze.Connection
	f := NewFollower(opt, func(c *analyze.Connection) { out = append(out, c) })
	for i := range segments {
		f.Segment(&segments[i])
	}
	f.Finish()
	return out
}

func TestResetAfterClose(t *testing.T) {
	segs := story.Parse(t, `
1 0.000 client > server S seq 1000 win 64240
2 0.001 server > client S. seq 5000 ack 1001 win 65160
3 0.002 client > server . seq 1001 ack 5001 win 502
4 0.003 client > server P. seq 1001 ack 5001 len 12 win 502
5 0.004 server > client . seq 5001 ack 1013 win 502
6 0.005 client > server F. seq 1013 ack 5001 win 502
7 0.006 server > client P. seq 5001 ack 1014 len 12 win 502
8 0.007 client > server R seq 1014
`)
	for _, same := range []bool{false, true} {
		got := followAll(analyze.Options{SameHost: same, AllSegments: true}, segs)
		if len(got) != 1 {
			t.Fatalf("SameHost=%v: %d connections, want 1", same, len(got))
		}
		c := got[0]
		if c.Ending != analyze.WasReset || c.Closer != analyze.Client || c.Reset.Cause != analyze.DataAfterClose || c.Reset.Trigger != 7 {
			t.Errorf("SameHost=%v: %v by %v, %+v; want a reset after the client's close, drawn by 7", same, c.Ending, c.Closer, c.Reset)
		}
	}
}
