package session

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/trace"
)

// accepted gives s a connection as connection does, but of a server's socket.
func accepted(s *Session, cookie uint64, begin event.Time) {
	client := netip.AddrPortFrom(loopback, 40000+uint16(cookie))
	s.Socket(trace.Socket{Cookie: 100, State: trace.Listening, Local: server})
	s.Socket(trace.Socket{Cookie: cookie, State: trace.Connected, Local: server, Remote: client})
	for i, flags := range []event.Flags{event.SYN, event.SYN | event.ACK, event.ACK, event.FIN | event.ACK, event.FIN | event.ACK, event.ACK} {
		src, dst := client, server
		if i == 1 || i == 4 {
			src, dst = server, client
		}
		s.Packet(seg(begin.Add(time.Duration(i)), src, dst, flags))
	}
}

// TestLegs hands out together what may be the legs of a relay: a connection that a thread opened when it had received of
// another one last. Of a leg that stays open the other waits no longer than legsWait, and who opens more than maxLegs has none.
func TestLegs(t *testing.T) {
	received := func(s *Session, cookie uint64) { s.Call(event.Call{Name: "recv", TID: 7, Socket: cookie, Ret: 5}) }
	opened := func(s *Session, cookie uint64, at event.Time) {
		s.Call(event.Call{Name: "connect", TID: 7, Socket: cookie, Start: at, End: at})
		connection(s, cookie, at, event.FIN|event.ACK)
	}
	for name, test := range map[string]struct {
		backs uint64 // 2 and on
		open  bool   // the last of them
		look  time.Duration
		want  []int // connections of each recording
	}{
		"both over":             {1, false, 2 * quietClosed, []int{2}},
		"one is open":           {1, true, quietClosed + legsWait - time.Second, nil},
		"one is open for long":  {1, true, quietClosed + legsWait + time.Second, []int{1}},
		"two of one":            {2, false, 2 * quietClosed, []int{3}},
		"more than a relay has": {maxLegs + 1, false, 2 * quietClosed, []int{maxLegs + 1, 1}},
	} {
		s, now := newSession(t, false), present()
		accepted(s, 1, now)
		received(s, 1)
		for cookie := uint64(2); cookie < 2+test.backs; cookie++ {
			opened(s, cookie, now)
			received(s, cookie) // of a socket that it opened itself
			if !test.open || cookie <= test.backs {
				closed(s, cookie)
			}
		}
		closed(s, 1)
		var got []int
		for _, part := range s.Over(now.Add(test.look)) {
			got = append(got, len(part.Segments)/6)
		}
		if len(got) == 2 && got[0] < got[1] {
			got[0], got[1] = got[1], got[0]
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v connections handed out, want %v", name, got, test.want)
		}
		closed(s, 100)
		s.Rest(now)
		if len(s.took) > 0 || len(s.sockets) > 1 { // the listening one
			t.Errorf("%s: %d threads and %d sockets left, want the listening one", name, len(s.took), len(s.sockets))
		}
	}
}

// TestLegsUnnamed holds that a socket of another thread, or of none, is no leg.
func TestLegsUnnamed(t *testing.T) {
	s, now := newSession(t, false), present()
	accepted(s, 1, now)
	s.Call(event.Call{Name: "recv", TID: 7, Socket: 1, Ret: 5})
	s.Call(event.Call{Name: "connect", TID: 8, Socket: 2, Start: now, End: now})
	connection(s, 2, now, event.FIN|event.ACK)
	closed(s, 1)
	closed(s, 2)
	if parts := s.Over(now.Add(2 * quietClosed)); len(parts) != 2 {
		t.Errorf("%d recordings, want 2", len(parts))
	}
}
