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

// TestDroppedAreNotDiscarded: what a connection lacks where the capture lost packets may have been sent, unless
// it is whole by its own numbers.
func TestDroppedAreNotDiscarded(t *testing.T) {
	const events = `
1 0.0010-0.0020 client connect(10.0.0.2:80) = 0
2 0.0011 client > server S seq 1000 win 64240
3 0.0012 server > client S. seq 5000 ack 1001 win 64240
4 0.0013 client > server . seq 1001 ack 5001 win 502
10 0.0020-0.0021 client setsockopt(SO_LINGER, on, 0 s) = 0
5 0.0032-0.0034 client send(2000 bytes) = 2000
6 0.0033 client > server P. seq 1001 ack 5001 win 502 len 100
7 0.0034 server > client . seq 5001 ack 1101 win 502
8 0.0050-0.0052 client close() = 0 recvq=0
9 0.0051 client > server R. ack 5001 win 502 seq `
	for _, tt := range []struct {
		rst           string
		dropped, want uint64
	}{{"1201", 0, 1900}, {"1201", 3, 0}, {"1101", 3, 1900}} {
		rec := parseEvents(t, events+tt.rst)
		rec.Run.Dropped = tt.dropped
		c := Join(rec, analyze.Options{}).Connections[0]
		if whole := tt.rst == "1101"; c.Whole != whole {
			t.Errorf("with an RST at %s Whole = %v", tt.rst, c.Whole)
		}
		sure := analyze.Observed
		if tt.dropped > 0 && !c.Whole {
			sure = analyze.Inferred
		}
		if c.Reset.Confidence != sure {
			t.Errorf("with an RST at %s and %d packets lost its cause %s is %s, want %s", tt.rst, tt.dropped, c.Reset.Cause, c.Reset.Confidence, sure)
		}
		got := uint64(0)
		if c.Lost != nil {
			got = c.Lost.Discarded
		}
		if got != tt.want {
			t.Errorf("with an RST at %s and %d packets lost Discarded = %d, want %d", tt.rst, tt.dropped, got, tt.want)
		}
	}
}
