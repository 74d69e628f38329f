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
