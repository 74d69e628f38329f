package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/trace"
)

// story gives a session one connection from a client's port, in which the given end closes last; the
// times count back from now.
func story(s *session, port uint16, ago time.Duration, last event.Flags, closed bool) {
	client := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	server := netip.MustParseAddrPort("127.0.0.1:80")
	begin := present().Add(-ago)
	cookie := uint64(port)
	s.heard(trace.Socket{Cookie: cookie, State: trace.Connecting, Remote: server})
	s.heard(trace.Socket{Cookie: cookie, State: trace.Connected, Local: client, Remote: server})
	seq := [2]uint32{1000, 2000}
	for i, step := range []struct {
		from  int
		flags event.Flags
	}{{0, event.SYN}, {1, event.SYN | event.ACK}, {0, event.ACK}, {0, event.FIN | event.ACK}, {1, last}, {0, event.ACK}} {
		seg := event.Segment{Time: begin.Add(time.Duration(i)), Src: client, Dst: server, Flags: step.flags}
		if step.from == 1 {
			seg.Src, seg.Dst = server, client
		}
		seg.Seq, seg.Ack = seg.Seq.Add(seq[step.from]), seg.Ack.Add(seq[1-step.from])
		if step.flags&(event.SYN|event.FIN) != 0 {
			seq[step.from]++
		}
		s.packet(&event.Packet{Time: seg.Time, LinkType: 1}, &seg)
		if last.Has(event.RST) && step.from == 1 && i == 4 {
			break
		}
	}
	s.call(event.Call{Name: "connect", Socket: cookie, Local: client, Remote: server, Start: begin, End: begin})
	if closed {
		s.heard(trace.Socket{Cookie: cookie, State: trace.Closed, Local: client, Remote: server})
		s.sockets[cookie].closed = begin
	}
}

// TestRows shows a connection when nothing more can come of it, and lets go of it.
func TestRows(t *testing.T) {
	fin, rst := event.FIN|event.ACK, event.RST
	for _, test := range []struct {
		name   string
		ago    time.Duration
		last   event.Flags
		closed bool
		over   bool
	}{
		{"closed long ago", 2 * quietClosed, fin, true, true},
		{"in TIME_WAIT", quietClosed / 2, fin, true, false},
		{"still held", 10 * quietOpen, fin, false, false},
		{"reset", 2 * quietReset, rst, true, true},
		{"just reset", quietReset / 2, rst, true, false},
		{"unanswered FIN", quietClosed + time.Second, event.ACK, true, false},
		{"given up", quietOpen + time.Second, event.ACK, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSession([]string{"lo"}, func([]netip.AddrPort) error { return nil })
			story(s, 40000, test.ago, test.last, test.closed)
			var out bytes.Buffer
			r, err := newRows(&out, report.NDJSON, report.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s.rows = r
			s.sweep(r, 0)
			if got := strings.Contains(out.String(), "127.0.0.1:40000"); got != test.over {
				t.Errorf("shown = %v, want %v: %s", got, test.over, out.String())
			}
			if left := len(s.ends) + len(s.sockets); test.over && (left > 0 || s.kept != 0) || !test.over && left == 0 {
				t.Errorf("%d ends and sockets with %d bytes left, want them %v", left, s.kept, !test.over)
			}
			if err := r.finish(nil, s.rest()); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(out.String(), "\n"); n != 1 {
				t.Errorf("%d rows in the end, want one: %s", n, out.String())
			}
		})
	}
}

// TestRowsMany keeps a table of many connections the same whether some were shown before the end.
func TestRowsMany(t *testing.T) {
	table := func(ago time.Duration) (string, int) {
		s := newSession([]string{"lo"}, func([]netip.AddrPort) error { return nil })
		for i := range uint16(2 * report.CallsShown) {
			story(s, 40000+i, ago-time.Duration(i)*time.Millisecond, event.FIN|event.ACK, true)
		}
		r, err := newRows(nil, report.CSV, report.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.rows = r
		if !s.many() {
			t.Fatalf("%d connections are not many", 2*report.CallsShown)
		}
		s.sweep(r, 0)
		shown := r.shown
		var out bytes.Buffer
		if err := r.finish(&out, s.rest()); err != nil {
			t.Fatal(err)
		}
		return out.String(), shown
	}
	early, n := table(2 * quietClosed)
	late, none := table(quietClosed / 2)
	if n != 2*report.CallsShown || none != 0 {
		t.Errorf("%d and %d shown before the end, want all and none", n, none)
	}
	for i := range 2 * report.CallsShown {
		if end := fmt.Sprintf("127.0.0.1:%d", 40000+i); strings.Count(early, end) != 1 || strings.Count(late, end) != 1 {
			t.Errorf("%s has %d and %d rows, want one each", end, strings.Count(early, end), strings.Count(late, end))
		}
	}
}
