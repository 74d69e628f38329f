//go:build linux

package live

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/internal/loopback"
)

// listen6 is listen at ::1, at a port that none of the others has: each IP version gives out ports of
// its own, and what is captured is told apart by port alone.
func listen6(t *testing.T, others ...*net.TCPListener) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip(err) // no IPv6
	}
	t.Cleanup(func() { l.Close() })
	l6 := l.(*net.TCPListener)
	for _, other := range others {
		if loopback.Port(other) == loopback.Port(l6) {
			return listen6(t, others...)
		}
	}
	return l6
}

// exchange makes n connections to l, one after the other, each closed at both ends.
func exchange(t *testing.T, l *net.TCPListener, n int) {
	t.Helper()
	for range n {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		s, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		c.Close()
		s.Close()
	}
}

// portsOf counts the packets of each of the ports, on whichever side.
func portsOf(packets []*event.Packet, listeners ...*net.TCPListener) []int {
	n := make([]int, len(listeners))
	for _, p := range packets {
		tcp := p.Data[14+20:]
		if p.Data[12] == 0x86 {
			tcp = p.Data[14+40:]
		}
		for i, l := range listeners {
			port := loopback.Port(l)
			for _, at := range []int{0, 2} {
				if uint16(tcp[at])<<8|uint16(tcp[at+1]) == port {
					n[i]++
				}
			}
		}
	}
	return n
}

func endpointOf(l *net.TCPListener) netip.AddrPort { return l.Addr().(*net.TCPAddr).AddrPort() }

// TestNarrow keeps what each detail of the filter promises, and nothing else where it is exact.
func TestNarrow(t *testing.T) {
	l4, _ := listen(t)
	other, _ := listen(t)
	l6 := listen6(t, l4, other)
	port := func(l *net.TCPListener) netip.AddrPort {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), endpointOf(l).Port())
	}
	elsewhere := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), endpointOf(l4).Port())
	many := func(n int) (list []netip.AddrPort) {
		for i := range n {
			list = append(list, netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1+i)))
		}
		return list
	}
	for _, test := range []struct {
		name string
		only []netip.AddrPort
		want []bool // of l4, l6, other
	}{
		{"nothing", nil, []bool{false, false, false}},
		{"IPv4", []netip.AddrPort{endpointOf(l4)}, []bool{true, false, false}},
		{"IPv6", []netip.AddrPort{endpointOf(l6)}, []bool{false, true, false}},
		{"any address", []netip.AddrPort{port(l4), port(l6)}, []bool{true, true, false}},
		{"another address", []netip.AddrPort{elsewhere, endpointOf(other)}, []bool{false, false, true}},
		{"many", append(many(maxEndpoints-1), endpointOf(l6)), []bool{false, true, false}},
		{"too many for addresses", append(many(maxEndpoints), elsewhere), []bool{true, false, false}},
		{"too many for ports", many(maxNarrow + 1), []bool{true, true, true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := open(t, Options{SnapLen: 128})
			if err := c.Narrow(test.only); err != nil {
				t.Fatal(err)
			}
			var seen log
			c.Start(seen.add)
			for _, l := range []*net.TCPListener{l4, l6, other} {
				exchange(t, l, 1)
			}
			if err := c.Barrier(deadline(t)); err != nil { // its markers still pass
				t.Fatal(err)
			}
			if _, err := c.Stop(); err != nil {
				t.Fatal(err)
			}
			for i, n := range portsOf(seen.all(), l4, l6, other) {
				if (n > 0) != test.want[i] || n > 0 && n < 6 { // SYN, SYN,ACK, ACK, two FINs, last ACK
					t.Errorf("listener %d: %d packets, want some %v", i, n, test.want[i])
				}
			}
		})
	}
}

// TestNarrowSwap has one filter replaced by the next all the time, beside other traffic: of what all
// of them keep not one packet is missing.
func TestNarrowSwap(t *testing.T) {
	const connections = 1000
	l, _ := listen(t)
	noise, _ := listen(t)
	c := open(t, Options{SnapLen: 128, Buffer: 8 << 20})
	if err := c.Narrow([]netip.AddrPort{endpointOf(l)}); err != nil {
		t.Fatal(err)
	}
	var seen log
	c.Start(seen.add)
	var done atomic.Bool
	var beside sync.WaitGroup
	beside.Go(func() {
		for !done.Load() {
			exchange(t, noise, 1)
		}
	})
	var swaps int
	beside.Go(func() {
		for ; !done.Load(); swaps++ {
			only := []netip.AddrPort{endpointOf(l)}
			for i := range swaps % 200 { // exact, or by port
				only = append(only, netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1+i)))
			}
			if err := c.Narrow(only); err != nil {
				t.Error(err)
				return
			}
		}
	})
	exchange(t, l, connections)
	done.Store(true)
	beside.Wait()
	if err := c.Barrier(deadline(t)); err != nil {
		t.Fatal(err)
	}
	stats, err := c.Stop()
	if err != nil {
		t.Fatal(err)
	}
	syn, fin := 0, 0
	for _, p := range seen.all() {
		flags := tcpFlags(t, p)
		if flags.Has(event.SYN) {
			syn++
		}
		if flags.Has(event.FIN) {
			fin++
		}
	}
	if other := portsOf(seen.all(), noise)[0]; syn != 2*connections || fin < 2*connections || other > 0 || stats.Dropped > 0 {
		t.Errorf("%d SYN and %d FIN of %d connections, %d packets of other traffic, %d dropped, want all, all, none, none",
			syn, fin, connections, other, stats.Dropped)
	}
	t.Logf("%d filters", swaps)
}

// TestDropped floods a capture that has little room and whose reader waits: what was lost is counted,
// as soon as one asks and in the end. A second capture, with room, says how much there was.
func TestDropped(t *testing.T) {
	inNamespace(t, func() {
		l, _ := listen(t)
		var captures [2]*Capture
		for i, buffer := range []int{64 << 10, 64 << 20} {
			captures[i] = open(t, Options{SnapLen: 96, Buffer: buffer})
			if err := captures[i].Narrow([]netip.AddrPort{endpointOf(l)}); err != nil {
				t.Error(err)
			}
		}
		release := make(chan struct{})
		captures[0].Start(func(*event.Packet) { <-release })
		captures[1].Start(func(*event.Packet) {})
		client, server := loopback.Connect(t, l)
		over := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, server)
			over <- errors.Join(err, server.Close())
		}()
		var during Stats
		for ctx := deadline(t); during.Dropped < 100 && ctx.Err() == nil; {
			for range 1000 {
				if _, err := client.Write([]byte("x")); err != nil {
					t.Error(err)
				}
			}
			var err error
			if during, err = captures[0].Stats(); err != nil {
				t.Error(err)
			}
		}
		client.CloseWrite()
		if _, err := io.ReadAll(client); err != nil { // both ends are closed: nothing more comes
			t.Error(err)
		}
		if err := <-over; err != nil {
			t.Error(err)
		}
		close(release)
		lossy, err1 := captures[0].Stop()
		whole, err2 := captures[1].Stop()
		if err1 != nil || err2 != nil {
			t.Error(err1, err2)
		}
		if during.Dropped == 0 || lossy.Dropped < during.Dropped || whole.Dropped != 0 {
			t.Errorf("dropped %d so far, %d in the end, and %d with room, want some, no less, and none",
				during.Dropped, lossy.Dropped, whole.Dropped)
		}
		// The marker that ends a capture may be lost like any packet, and counts like one.
		if all := lossy.Received + lossy.Dropped; all != whole.Received && all != whole.Received+1 {
			t.Errorf("received %d and dropped %d, want %d together", lossy.Received, lossy.Dropped, whole.Received)
		}
	}, "link set lo up")
}
