package scope

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/trace"
)

// bench is a Scope whose packets are written as "client>server flags".
type bench struct {
	*Scope
	kept   []string
	filter []string
}

func newBench() *bench {
	b := &bench{}
	b.Scope = New(
		func(_ *event.Packet, s *event.Segment) {
			b.kept = append(b.kept, fmt.Sprintf("%d>%d %s", s.Src.Port(), s.Dst.Port(), s.Flags))
		},
		func(only []netip.AddrPort) error {
			b.filter = nil
			for _, a := range only {
				b.filter = append(b.filter, a.String())
			}
			slices.Sort(b.filter)
			return nil
		})
	return b
}

func at(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
}

// sees has a packet captured now.
func (b *bench) sees(src, dst uint16, flags event.Flags) { b.seesAt(time.Now(), src, dst, flags) }

func (b *bench) seesAt(when time.Time, src, dst uint16, flags event.Flags) {
	p := make([]byte, 14+20+20)
	p[12], p[14], p[23] = 0x08, 0x45, 6
	binary.BigEndian.PutUint16(p[16:], 40)
	p[22] = 64
	copy(p[26:], []byte{127, 0, 0, 1, 127, 0, 0, 1})
	binary.BigEndian.PutUint16(p[34:], src)
	binary.BigEndian.PutUint16(p[36:], dst)
	p[46], p[47] = 0x50, byte(flags)
	b.Packet(&event.Packet{Time: event.Time(when.UnixNano()), LinkType: 1, WireLen: len(p), Data: p})
}

// handshake has the three segments captured.
func (b *bench) handshake(client, server uint16) {
	b.sees(client, server, event.SYN)
	b.sees(server, client, event.SYN|event.ACK)
	b.sees(client, server, event.ACK)
}

func (b *bench) says(state trace.SocketState, cookie uint64, local, remote uint16) {
	n := trace.Socket{Cookie: cookie, State: state}
	if local != 0 {
		n.Local = at(local)
	}
	if remote != 0 {
		n.Remote = at(remote)
	}
	b.Socket(n)
}

func (b *bench) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(b.kept, want) {
		t.Errorf("kept %q, want %q", b.kept, want)
	}
	b.kept = nil
}

// TestConnect keeps the handshake of a connect that has not returned, and of another program's to the
// same server nothing.
func TestConnect(t *testing.T) {
	b := newBench()
	b.handshake(40000, 80) // before
	b.says(trace.Connecting, 1, 0, 80)
	if want := []string{"127.0.0.1:80"}; !slices.Equal(b.filter, want) {
		t.Errorf("filter = %q, want %q", b.filter, want)
	}
	b.handshake(40001, 80)
	b.handshake(40002, 80)
	b.handshake(40001, 81)
	b.expect(t)
	b.says(trace.Connected, 1, 40002, 80)
	b.expect(t, "40002>80 S", "80>40002 S.", "40002>80 .")
	b.sees(40001, 80, event.FIN)
	b.sees(80, 40002, event.FIN|event.ACK)
	b.expect(t, "80>40002 F.")
	b.says(trace.Connecting, 2, 0, 80)
	b.says(trace.Unconnected, 2, 0, 80)
	b.handshake(40003, 80)
	b.expect(t)
}

// TestLate reads the handshake only after the connect has returned and the socket is closed.
func TestLate(t *testing.T) {
	b := newBench()
	b.says(trace.Connecting, 1, 0, 80)
	b.says(trace.Connected, 1, 40000, 80)
	b.says(trace.Closed, 1, 40000, 80)
	b.handshake(40000, 80)
	b.expect(t, "40000>80 S", "80>40000 S.", "40000>80 .")
	b.Forget(event.PairOf(at(80), at(40000)))
	b.handshake(40000, 80)
	b.expect(t)
}

// TestLocalPort has two programs use one local port towards different servers.
func TestLocalPort(t *testing.T) {
	b := newBench()
	b.says(trace.Connecting, 1, 45999, 7402)
	b.says(trace.Connected, 1, 45999, 7402)
	b.handshake(45999, 31999)
	b.sees(45999, 7402, event.SYN)
	b.expect(t, "45999>7402 S")
}

// TestListener keeps whoever comes to the program's port while it listens there.
func TestListener(t *testing.T) {
	b := newBench()
	b.sees(40000, 8080, event.SYN)
	b.Socket(trace.Socket{Cookie: 1, State: trace.Listening, Local: netip.MustParseAddrPort("[::]:8080")})
	b.sees(40001, 8080, event.SYN)
	b.expect(t, "40001>8080 S")
	before := time.Now()
	b.Socket(trace.Socket{Cookie: 1, State: trace.Closed, Local: netip.MustParseAddrPort("[::]:8080")})
	after := time.Now().Add(time.Second)
	b.seesAt(before, 40002, 8080, event.SYN)
	b.seesAt(after, 40003, 8080, event.SYN) // another program's by now
	b.seesAt(after, 8080, 40001, event.RST)
	b.expect(t, "40002>8080 S", "8080>40001 R")
}

// TestFilter needs a new filter for a new server only, and forgets those that no one needs.
func TestFilter(t *testing.T) {
	b := newBench()
	for i := range uint16(3) {
		b.says(trace.Connecting, uint64(i), 0, 80+i)
		b.says(trace.Connected, uint64(i), 40000, 80+i)
		b.says(trace.Closed, uint64(i), 40000, 80+i)
	}
	b.Forget(event.PairOf(at(40000), at(81)))
	b.says(trace.Connecting, 9, 0, 90)
	if want := "127.0.0.1:80 127.0.0.1:82 127.0.0.1:90"; strings.Join(b.filter, " ") != want {
		t.Errorf("filter = %q, want %q", b.filter, want)
	}
	b.Socket(trace.Socket{State: trace.Unseen})
	if !slices.Contains(b.filter, "invalid AddrPort") {
		t.Errorf("filter = %q, want every port", b.filter)
	}
	b.handshake(50000, 9999) // io_uring's connect, of which a later call tells
	b.says(trace.Connected, 10, 50000, 9999)
	b.expect(t, "50000>9999 S", "9999>50000 S.", "50000>9999 .")
}

// TestBounds holds no more than its bounds, and says what that may have cost.
func TestBounds(t *testing.T) {
	b := newBench()
	b.says(trace.Connecting, 1, 0, 80)
	b.sees(1, 80, event.SYN)
	for range maxOfEach + 9 {
		b.sees(80, 1, event.ACK)
	}
	if n := len(b.held.of[event.PairOf(at(1), at(80))].packets); n != maxOfEach {
		t.Errorf("%d packets held of one connection, want %d", n, maxOfEach)
	}
	b.says(trace.Connected, 1, 1, 80)
	if lost, _ := b.Lost(); lost != 10 || len(b.kept) != maxOfEach {
		t.Errorf("kept %d, lost %d, want %d, 10", len(b.kept), lost, maxOfEach)
	}
	b.says(trace.Connecting, 2, 0, 80)
	for i := range uint16(maxHandshakes + 10) {
		b.sees(1000+i, 80, event.SYN)
	}
	if n := len(b.held.of); n != maxHandshakes {
		t.Errorf("%d handshakes held, want %d", n, maxHandshakes)
	}
	if _, warnings := b.Lost(); len(warnings) != 1 {
		t.Errorf("warnings = %q, want one", warnings)
	}
	b.says(trace.Unconnected, 2, 0, 80)
	if n := len(b.held.of); n != 0 {
		t.Errorf("%d handshakes held with no connect on its way, want none", n)
	}
}
