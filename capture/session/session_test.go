package session

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/trace"
)

var (
	loopback = netip.MustParseAddr("127.0.0.1")
	server   = netip.AddrPortFrom(loopback, 80)
)

func newSession(t *testing.T, whole bool) *Session {
	t.Helper()
	return New(Options{Whole: whole, Narrow: func([]netip.AddrPort) error { return nil }})
}

// seg is an Ethernet frame with a segment of no data.
func seg(at event.Time, src, dst netip.AddrPort, flags event.Flags) *event.Packet {
	p := make([]byte, 14+20+20)
	p[12], p[14], p[22], p[23] = 0x08, 0x45, 64, 6
	binary.BigEndian.PutUint16(p[16:], 40)
	copy(p[26:], src.Addr().AsSlice())
	copy(p[30:], dst.Addr().AsSlice())
	binary.BigEndian.PutUint16(p[34:], src.Port())
	binary.BigEndian.PutUint16(p[36:], dst.Port())
	p[46], p[47] = 0x50, byte(flags)
	return &event.Packet{Time: at, LinkType: 1, WireLen: len(p), Data: p}
}

// connection gives s a connection of a client's socket, six segments from begin on of which the fifth,
// the server's, has flags.
func connection(s *Session, cookie uint64, begin event.Time, fifth event.Flags) {
	client := netip.AddrPortFrom(loopback, 40000+uint16(cookie))
	s.Socket(trace.Socket{Cookie: cookie, State: trace.Connecting, Remote: server})
	s.Socket(trace.Socket{Cookie: cookie, State: trace.Connected, Local: client, Remote: server})
	for i, flags := range []event.Flags{event.SYN, event.SYN | event.ACK, event.ACK, event.FIN | event.ACK, fifth, event.ACK} {
		src, dst := client, server
		if i == 1 || i == 4 {
			src, dst = server, client
		}
		s.Packet(seg(begin.Add(time.Duration(i)), src, dst, flags))
	}
	s.Call(event.Call{Name: "connect", Socket: cookie, Local: client, Remote: server, Start: begin, End: begin})
}

func closed(s *Session, cookie uint64) { s.Socket(trace.Socket{Cookie: cookie, State: trace.Closed}) }

func present() event.Time { return event.Time(time.Now().UnixNano()) }

// TestOver hands a connection out when nothing more can come of it, and lets go of it.
func TestOver(t *testing.T) {
	fin, rst, ack := event.FIN|event.ACK, event.RST, event.ACK
	for _, test := range []struct {
		name       string
		fifth      event.Flags
		last, look time.Duration // when the last packet came and when Over is asked, from the close
		held, want bool
	}{
		{"closed long ago", fin, 0, 2 * quietClosed, false, true},
		{"in TIME_WAIT", fin, 0, quietClosed / 2, false, false},
		{"still held", fin, 0, 10 * quietOpen, true, false},
		{"reset", rst, 0, 2 * quietReset, false, true},
		{"just reset", rst, 0, quietReset / 2, false, false},
		{"reset long before the close", rst, -2 * quietOpen, quietReset / 2, false, false},
		{"unanswered FIN", ack, 0, quietClosed + time.Second, false, false},
		{"given up", ack, 0, quietOpen + time.Second, false, true},
		{"a packet after the close", fin, quietOpen, quietOpen + quietClosed/2, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSession(t, false)
			now := present()
			connection(s, 1, now.Add(test.last), test.fifth)
			if !test.held {
				closed(s, 1)
			}
			recs := s.Over(now.Add(test.look))
			if got := len(recs) == 1; got != test.want {
				t.Fatalf("Over returned %d recordings, want one: %v", len(recs), test.want)
			}
			if !test.want {
				if s.Connections() != 1 {
					t.Errorf("Connections() = %d, want the one that is not over", s.Connections())
				}
				recs = s.Rest(now)
			}
			if len(recs) != 1 || len(recs[0].Segments) != 6 || len(recs[0].Calls) != 1 || recs[0].Run.LinkType == "" {
				t.Errorf("got %+v, want a recording of 6 segments and a call", recs)
			}
			if left := len(s.ends) + len(s.sockets); left > 0 || s.kept != 0 {
				t.Errorf("%d ends and sockets with %d bytes left, want none", left, s.kept)
			}
			if more := s.Rest(now); len(more) != 0 {
				t.Errorf("%d recordings more", len(more))
			}
			if all := s.Totals(); all.Packets != 6 || all.Calls != 1 || all.Last.Sub(all.First) != 5 {
				t.Errorf("Totals() = %+v, want 6 packets in 5 ns and 1 call", all)
			}
		})
	}
}

// Rows are numbered in time order within a recording, and on from one to the next.
func TestNumbers(t *testing.T) {
	s := newSession(t, false)
	now := present()
	for cookie := range uint64(3) {
		connection(s, cookie+1, now.Add(-time.Duration(cookie)), event.FIN|event.ACK)
		closed(s, cookie+1)
	}
	var next uint64
	for _, rec := range s.Over(now.Add(2 * quietClosed)) {
		var rows []uint64
		for _, seg := range rec.Segments {
			rows = append(rows, seg.Frame)
		}
		for _, c := range rec.Calls {
			rows = append(rows, uint64(c.ID))
		}
		slices.Sort(rows)
		for _, row := range rows {
			if next++; row != next {
				t.Fatalf("row %d of %v, want %d", row, rows, next)
			}
		}
	}
	if next != 21 {
		t.Errorf("%d rows, want 21", next)
	}
}

// Connections that share a socket are handed out together, when all are over.
func TestShared(t *testing.T) {
	s := newSession(t, false)
	now := present()
	connection(s, 1, now.Add(-quietOpen), event.RST)
	other := netip.AddrPortFrom(loopback, 50000)
	s.Socket(trace.Socket{Cookie: 1, State: trace.Connected, Local: other, Remote: server})
	s.Packet(seg(now, other, server, event.SYN))
	closed(s, 1)
	if recs := s.Over(now.Add(quietClosed)); len(recs) != 0 {
		t.Errorf("%d recordings while the second connection is open, want none", len(recs))
	}
	recs := s.Over(now.Add(quietOpen))
	if len(recs) != 1 || len(recs[0].Segments) != 7 || len(recs[0].Calls) != 1 {
		t.Errorf("got %+v, want one recording of 7 segments and one call", recs)
	}
}

// Calls on a listening socket belong to every recording, until no connection of it can come any more.
func TestListeners(t *testing.T) {
	s := newSession(t, false)
	now := present()
	s.Socket(trace.Socket{Cookie: 9, State: trace.Listening, Local: server})
	s.Call(event.Call{Name: "listen", Socket: 9, Local: server, Start: now, End: now})
	after := now.Add(2 * quietClosed)
	for cookie := range uint64(2) {
		connection(s, cookie+1, now, event.FIN|event.ACK)
		closed(s, cookie+1)
		recs := s.Over(after)
		if len(recs) != 1 || !slices.ContainsFunc(recs[0].Calls, func(c *event.Call) bool { return c.Name == "listen" }) {
			t.Errorf("got %+v, want a recording with the listen", recs)
		}
	}
	closed(s, 9)
	s.Over(after.Add(quietOpen))
	if len(s.sockets) != 0 || s.kept != 0 {
		t.Errorf("%d sockets and %d bytes kept, want none", len(s.sockets), s.kept)
	}
}

// What has no room is counted, and said.
func TestNoRoom(t *testing.T) {
	s := newSession(t, false)
	s.kept = maxKept + 1
	connection(s, 1, present(), event.RST)
	s.End(2, []string{"first"})
	run := s.Run()
	if run.Dropped != 8 || len(run.Warnings) != 2 || run.Warnings[0] != "first" ||
		!strings.Contains(run.Warnings[1], "6 packets and 1 call had no room") {
		t.Errorf("Run() = %+v, want 2 and 6 packets dropped, and the warnings", run)
	}
	if len(s.Recording().Segments) != 0 || len(s.Recording().Calls) != 0 {
		t.Errorf("Recording() = %+v, want nothing", s.Recording())
	}
}

// A recording of everything keeps the packets only where they are wanted, numbered with the calls.
func TestRecording(t *testing.T) {
	for _, whole := range []bool{false, true} {
		s := newSession(t, whole)
		connection(s, 1, present(), event.RST)
		s.Packet(seg(present(), netip.AddrPortFrom(loopback, 1), netip.AddrPortFrom(loopback, 2), event.SYN))
		s.End(0, nil)
		rec := s.Recording()
		if len(rec.Segments) != 6 || len(rec.Calls) != 1 || (len(rec.Packets) == 6) != whole {
			t.Errorf("whole %v: %d segments, %d packets, %d calls; want 6, 6 or 0, 1",
				whole, len(rec.Segments), len(rec.Packets), len(rec.Calls))
		}
		for i := range rec.Packets {
			if rec.Packets[i].Frame != rec.Segments[i].Frame {
				t.Errorf("packet %d has frame %d, its segment %d", i, rec.Packets[i].Frame, rec.Segments[i].Frame)
			}
		}
	}
}

// TestWholeTo holds that packets are kept for a recording of few connections, and of more none.
func TestWholeTo(t *testing.T) {
	for n, want := range map[uint64]int{2: 12, 3: 0} {
		s := New(Options{WholeTo: 2, Narrow: func([]netip.AddrPort) error { return nil }})
		for i := range n {
			connection(s, i+1, event.Time(1+100*i), event.FIN|event.ACK)
		}
		s.End(0, nil)
		rec := s.Recording()
		if len(rec.Packets) != want || len(rec.Segments) != int(n)*6 {
			t.Errorf("of %d connections %d packets are kept, and %d segments", n, len(rec.Packets), len(rec.Segments))
		}
	}
}
