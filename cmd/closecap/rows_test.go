package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/session"
	"github.com/closecap/closecap/capture/trace"
)

// segment is an Ethernet frame with a segment.
func segment(at event.Time, src, dst netip.AddrPort, flags event.Flags, seq, ack uint32, data string) *event.Packet {
	be := binary.BigEndian
	p := append(make([]byte, 14+20+20), data...)
	p[12], p[14], p[22], p[23] = 0x08, 0x45, 64, 6
	be.PutUint16(p[16:], uint16(len(p)-14))
	copy(p[26:], src.Addr().AsSlice())
	copy(p[30:], dst.Addr().AsSlice())
	be.PutUint16(p[34:], src.Port())
	be.PutUint16(p[36:], dst.Port())
	be.PutUint32(p[38:], seq)
	be.PutUint32(p[42:], ack)
	p[46], p[47] = 0x50, byte(flags)
	return &event.Packet{Time: at, LinkType: 1, WireLen: len(p), Data: p}
}

// story gives a session one graceful connection from a client's port, begun then and closed now.
func story(s *session.Session, port uint16, begin event.Time) {
	client := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	server := netip.MustParseAddrPort("127.0.0.1:80")
	cookie := uint64(port)
	s.Socket(trace.Socket{Cookie: cookie, State: trace.Connecting, Remote: server})
	s.Socket(trace.Socket{Cookie: cookie, State: trace.Connected, Local: client, Remote: server})
	seq := [2]uint32{1000, 2000}
	for i, step := range []struct {
		from  int
		flags event.Flags
		data  string
	}{{0, event.SYN, ""}, {1, event.SYN | event.ACK, ""}, {0, event.ACK, ""}, {1, event.ACK, "-ERR max number of clients reached\r\n"},
		{0, event.FIN | event.ACK, ""}, {1, event.FIN | event.ACK, ""}, {0, event.ACK, ""}} {
		src, dst := client, server
		if step.from == 1 {
			src, dst = server, client
		}
		ack := seq[1-step.from]
		if step.flags == event.SYN {
			ack = 0
		}
		s.Packet(segment(begin.Add(time.Duration(i)), src, dst, step.flags, seq[step.from], ack, step.data))
		seq[step.from] += uint32(len(step.data))
		if step.flags&(event.SYN|event.FIN) != 0 {
			seq[step.from]++
		}
	}
	s.Call(event.Call{Name: "connect", Socket: cookie, Local: client, Remote: server, Start: begin, End: begin})
	s.Socket(trace.Socket{Cookie: cookie, State: trace.Closed, Local: client, Remote: server})
}

func newSession() *session.Session {
	return session.New(session.Options{Narrow: func([]netip.AddrPort) error { return nil }})
}

// later is long after a connection that closed now can still change.
const later = time.Hour

// TestRows shows a connection once: when it is over, or else in the end.
func TestRows(t *testing.T) {
	for _, test := range []struct {
		name  string
		after time.Duration
		over  bool
	}{{"over", later, true}, {"in TIME_WAIT", time.Second, false}} {
		t.Run(test.name, func(t *testing.T) {
			s, now := newSession(), present()
			story(s, 40000, now)
			var out bytes.Buffer
			r, err := newRows(&out, report.NDJSON, report.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r.sweep(s, now.Add(test.after), 0)
			if got := strings.Contains(out.String(), "127.0.0.1:40000"); got != test.over {
				t.Errorf("shown = %v, want %v: %s", got, test.over, out.String())
			}
			if err := r.finish(nil, r.rest(s)); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(out.String(), "\n"); n != 1 || !strings.Contains(out.String(), `"ending":"graceful"`) {
				t.Errorf("%d rows in the end, want one that is graceful: %s", n, out.String())
			}
		})
	}
}

// TestRowsMany keeps a table of many connections the same whether some were shown before the end.
func TestRowsMany(t *testing.T) {
	table := func(after time.Duration) (string, int) {
		s, now := newSession(), present()
		for i := range uint16(2 * report.CallsShown) {
			story(s, 40000+i, now.Add(time.Duration(i)*time.Millisecond))
		}
		r, err := newRows(nil, report.CSV, report.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r.sweep(s, now.Add(after), 0)
		shown := r.shown
		var out bytes.Buffer
		if err := r.finish(&out, r.rest(s)); err != nil {
			t.Fatal(err)
		}
		return out.String(), shown
	}
	early, n := table(later)
	late, none := table(time.Second)
	if n != 2*report.CallsShown || none != 0 {
		t.Errorf("%d and %d shown before the end, want all and none", n, none)
	}
	for i := range 2 * report.CallsShown {
		if end := fmt.Sprintf("127.0.0.1:%d", 40000+i); strings.Count(early, end) != 1 || strings.Count(late, end) != 1 {
			t.Errorf("%s has %d and %d rows, want one each", end, strings.Count(early, end), strings.Count(late, end))
		}
	}
}

// TestRowsTellWords holds that what was said on a connection stands in its row, by the numbers that its frames have
// there, whether it is shown before the end or in the end, and that nothing of it is kept then.
func TestRowsTellWords(t *testing.T) {
	for name, after := range map[string]time.Duration{"before the end": later, "in the end": time.Second} {
		t.Run(name, func(t *testing.T) {
			words, now := newOverheard(), present()
			s := session.New(session.Options{Heard: words.heard(), Narrow: func([]netip.AddrPort) error { return nil }})
			story(s, 40000, now.Add(-time.Hour))
			story(s, 40001, now)
			var out bytes.Buffer
			r, err := newRows(&out, report.NDJSON, report.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r.words = words
			r.sweep(s, now.Add(after), 0)
			if err := r.finish(nil, r.rest(s)); err != nil {
				t.Fatal(err)
			}
			var frames []string
			for _, row := range strings.Split(strings.TrimSpace(out.String()), "\n") {
				var c analyze.Connection
				if err := json.Unmarshal([]byte(row), &c); err != nil {
					t.Fatal(err)
				}
				if c.LastWords == nil || c.LastWords.Server == nil {
					t.Fatalf("no last words: %s", row)
				}
				frames = append(frames, fmt.Sprint(c.LastWords.Server.Frame-c.FirstFrame, c.LastWords.Reason))
			}
			want := "3the server ended it: -ERR max number of clients reached (frame %d), then the client closed"
			if len(frames) != 2 || frames[0] != fmt.Sprintf(want, 5) || frames[1] != fmt.Sprintf(want, 13) {
				t.Errorf("last words: %q", frames)
			}
			if n := words.keeper.Open(); n != 0 {
				t.Errorf("%d connections are kept after the end", n)
			}
		})
	}
}

// relay gives a session the two connections of a relay, begun then and closed now: what it received on one it sent on the
// other.
func relay(s *session.Session, port uint16, begin event.Time) {
	here := netip.MustParseAddr("127.0.0.1")
	front := [2]netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port), netip.AddrPortFrom(here, 80)}
	back := [2]netip.AddrPort{netip.AddrPortFrom(here, port), netip.MustParseAddrPort("10.0.0.2:81")}
	cookies := [2]uint64{uint64(port), uint64(port) + 1<<16}
	s.Socket(trace.Socket{Cookie: 1, State: trace.Listening, Local: front[1]})
	s.Socket(trace.Socket{Cookie: cookies[0], State: trace.Connected, Local: front[1], Remote: front[0]})
	s.Socket(trace.Socket{Cookie: cookies[1], State: trace.Connecting, Remote: back[1]})
	s.Socket(trace.Socket{Cookie: cookies[1], State: trace.Connected, Local: back[0], Remote: back[1]})
	for leg, ends := range [2][2]netip.AddrPort{front, back} {
		at := begin.Add(time.Duration(leg) * time.Millisecond)
		for i, step := range []struct {
			from     int
			flags    event.Flags
			seq, ack uint32
			data     string
		}{{0, event.SYN, 1000, 0, ""}, {1, event.SYN | event.ACK, 2000, 1001, ""}, {0, event.ACK, 1001, 2001, "hello"},
			{0, event.FIN | event.ACK, 1006, 2001, ""}, {1, event.FIN | event.ACK, 2001, 1007, ""}, {0, event.ACK, 1007, 2002, ""}} {
			s.Packet(segment(at.Add(time.Duration(i)), ends[step.from], ends[1-step.from], step.flags, step.seq, step.ack, step.data))
		}
	}
	for i, c := range []event.Call{{Name: "accept", Ret: 4}, {Name: "recv", Ret: 5, Text: "hello"}, {Name: "connect"}, {Name: "send", Ret: 5, Text: "hello"}} {
		c.PID, c.TID, c.Actor = 7, 7, "proxy"
		c.Socket, c.Local, c.Remote = cookies[0], front[1], front[0]
		if i >= 2 {
			c.Socket, c.Local, c.Remote = cookies[1], back[0], back[1]
		}
		c.Start = begin.Add(time.Duration(i) * time.Millisecond / 2)
		c.End = c.Start
		s.Call(c)
	}
	for _, cookie := range cookies {
		s.Socket(trace.Socket{Cookie: cookie, State: trace.Closed})
	}
}

// TestRowsOfRelays holds that rows name each other as legs by the numbers that they are shown with.
func TestRowsOfRelays(t *testing.T) {
	s, now := newSession(), present()
	relay(s, 40000, now.Add(-time.Minute))
	relay(s, 40001, now)
	var out bytes.Buffer
	r, err := newRows(&out, report.NDJSON, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.sweep(s, now.Add(later), 0)
	if err := r.finish(nil, r.rest(s)); err != nil {
		t.Fatal(err)
	}
	rows := map[int]analyze.Connection{}
	for line := range strings.Lines(out.String()) {
		var c analyze.Connection
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		rows[c.ID] = c
	}
	if len(rows) != 4 {
		t.Fatalf("%d rows, want 4", len(rows))
	}
	for id, c := range rows {
		if c.Relay == nil || rows[c.Relay.Leg].Relay.Leg != id || rows[c.Relay.Leg].Client.Port() != c.Client.Port() {
			t.Errorf("connection %d: %+v", id, c.Relay)
		}
	}
}
