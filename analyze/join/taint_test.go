package join

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/internal/story"
)

// TestDroppedPackets: what the capture lost puts in doubt the connections that leave room for it by
// their own numbers, and no other.
func TestDroppedPackets(t *testing.T) {
	rec := &event.Recording{Segments: story.Parse(t, `
1 1.000 10.0.0.1:40000 > 10.0.0.2:80 S seq 1000 win 64240
2 1.001 10.0.0.2:80 > 10.0.0.1:40000 S. seq 5000 ack 1001 win 64240
3 1.002 10.0.0.1:40000 > 10.0.0.2:80 . seq 1001 ack 5001 win 502
4 1.003 10.0.0.1:40000 > 10.0.0.2:80 F. seq 1001 ack 5001 win 502
5 1.004 10.0.0.2:80 > 10.0.0.1:40000 F. seq 5001 ack 1002 win 509
6 1.005 10.0.0.1:40000 > 10.0.0.2:80 . seq 1002 ack 5002 win 502
7 2.000 10.0.0.1:40001 > 10.0.0.2:80 S seq 1000 win 64240
8 2.001 10.0.0.2:80 > 10.0.0.1:40001 S. seq 5000 ack 1001 win 64240
9 2.002 10.0.0.1:40001 > 10.0.0.2:80 . seq 1001 ack 5001 win 502
10 2.003 10.0.0.1:40001 > 10.0.0.2:80 P. seq 1101 ack 5001 len 100 win 502
11 2.004 10.0.0.2:80 > 10.0.0.1:40001 . seq 5001 ack 1201 win 509
12 2.005 10.0.0.1:40001 > 10.0.0.2:80 F. seq 1201 ack 5001 win 502
13 2.006 10.0.0.2:80 > 10.0.0.1:40001 F. seq 5001 ack 1202 win 509
14 2.007 10.0.0.1:40001 > 10.0.0.2:80 . seq 1202 ack 5002 win 502
`), Run: event.Run{Dropped: 3}}
	res := Join(rec, analyze.Options{})
	for _, err := range analyze.Validate(res) {
		t.Error(err)
	}
	if len(res.Connections) != 2 {
		t.Fatalf("%d connections, want 2", len(res.Connections))
	}
	for i, want := range []analyze.Confidence{analyze.Observed, analyze.Inferred} {
		c := res.Connections[i]
		warned := strings.Contains(strings.Join(c.Warnings, "; "), "the capture lost 3 packets")
		if c.Confidence != want || c.CloserSure != want || warned != (want == analyze.Inferred) {
			t.Errorf("connection %d: %s, closer %s, warnings %q; want %s", c.ID, c.Confidence, c.CloserSure, c.Warnings, want)
		}
	}
	const want = "the capture lost 3 packets: by their own numbers 1 of 2 connections may lack some"
	if len(res.Warnings) != 1 || res.Warnings[0] != want {
		t.Errorf("warnings %q, want %q", res.Warnings, want)
	}
}
