//go:build linux

package kernel

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

func openDiag(t testing.TB) *Diag {
	t.Helper()
	d, err := OpenDiag()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// pair connects two loopback sockets of the family.
func pair(t testing.TB, network, address string) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("no %s loopback: %v", network, err)
	}
	defer l.Close()
	c, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func ends(c *net.TCPConn) (local, remote netip.AddrPort) {
	return c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()
}

// await samples until the endpoint is in state: segments may still be on their way.
func await(t testing.TB, d *Diag, local, remote netip.AddrPort, state event.TCPState) event.Sample {
	t.Helper()
	var s event.Sample
	for range 1_000_000 {
		var err error
		if s, err = d.Sample(local, remote); err != nil {
			t.Fatal(err)
		}
		if s.State == state {
			return s
		}
	}
	t.Fatalf("Sample(%v, %v) = %v, want %v", local, remote, s.State, state)
	return s
}

// TestSampleClose follows both ends of an ordered close through the kernel's states.
func TestSampleClose(t *testing.T) {
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		t.Run(network, func(t *testing.T) {
			d := openDiag(t)
			client, server := pair(t, network, address)
			local, remote := ends(client)
			s := await(t, d, local, remote, event.Established)
			if s.Local != local || s.Remote != remote || s.Orphan || s.Time == 0 {
				t.Errorf("Sample = %+v, want %v to %v, held", s, local, remote)
			}
			if _, err := client.Write([]byte("Hello, world")); err != nil {
				t.Fatal(err)
			}
			if err := client.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			await(t, d, local, remote, event.FinWait2)
			s = await(t, d, remote, local, event.CloseWait)
			if s.RecvQ != 12 || s.SendQ != 0 {
				t.Errorf("queues in CLOSE_WAIT = %d, %d, want 12 unread (the FIN is no byte), 0 unsent", s.RecvQ, s.SendQ)
			}
			client.Close()
			s = await(t, d, local, remote, event.FinWait2)
			if !s.Orphan || s.Timer != "timewait" || s.Left <= 50e9 || s.Left > 60e9 {
				t.Errorf("closed client = %+v, want an orphan that waits tcp_fin_timeout", s)
			}
			buf := make([]byte, 64)
			if _, err := server.Read(buf); err != nil {
				t.Fatal(err)
			}
			server.Close()
			s = await(t, d, local, remote, event.TimeWait)
			if s.Timer != "timewait" || s.Left <= 50e9 || s.Left > 60e9 {
				t.Errorf("client in TIME_WAIT = %+v, want under 60 s left", s)
			}
			await(t, d, remote, local, event.Closed)
		})
	}
}

// TestSampleListener shows that a closed connection of a listener that lives is Closed, and not
// the listener, which the kernel's lookup finds next.
func TestSampleListener(t *testing.T) {
	d := openDiag(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	s, err := d.Sample(at, netip.MustParseAddrPort("127.0.0.1:9"))
	if err != nil || s.State != event.Closed {
		t.Errorf("Sample = %+v, %v, want CLOSED", s, err)
	}
}

// TestSampleDualStack finds the IPv6 socket that serves an IPv4 connection.
func TestSampleDualStack(t *testing.T) {
	l, err := net.Listen("tcp", "[::]:0")
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(l.Addr().(*net.TCPAddr).Port)).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	local, remote := ends(c.(*net.TCPConn))
	s := await(t, openDiag(t), remote, local, event.Established)
	if s.Local != remote || s.Remote != local {
		t.Errorf("server = %v to %v, want %v to %v", s.Local, s.Remote, remote, local)
	}
}

// TestSampleSynSent asks about a connection that nobody answers.
func TestSampleSynSent(t *testing.T) {
	d := openDiag(t)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	// A classic BPF program that takes nothing keeps the answer from the socket.
	drop := unix.SockFilter{Code: 0x06, K: 0}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop}); err == unix.EPERM {
		t.Skip(err) // some systems let only the privileged filter
	} else if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	remote := l.Addr().(*net.TCPAddr).AddrPort()
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(remote.Port()), Addr: [4]byte{127, 0, 0, 1}}); err != unix.EINPROGRESS {
		t.Fatalf("connect = %v, want EINPROGRESS", err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	local := netip.AddrPortFrom(remote.Addr(), uint16(sa.(*unix.SockaddrInet4).Port))
	s := await(t, d, local, remote, event.SynSent)
	if s.Timer != "retransmit" || s.Left <= 0 || s.SendQ != 0 {
		t.Errorf("client = %+v, want a retransmit timer and nothing queued", s)
	}
	s = await(t, d, remote, local, event.SynRecv)
	if s.Timer != "retransmit" {
		t.Errorf("server = %+v, want a timer for its SYN,ACK", s)
	}
}

func BenchmarkSample(b *testing.B) {
	d := openDiag(b)
	client, _ := pair(b, "tcp4", "127.0.0.1:0")
	local, remote := ends(client)
	for b.Loop() {
		if _, err := d.Sample(local, remote); err != nil {
			b.Fatal(err)
		}
	}
}
