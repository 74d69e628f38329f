//go:build amd64 || arm64

package trace

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// enterFD is the entry of every call whose first argument is the descriptor that it is about.
func enterFD(t *tracer, th *thread, c *call) bool {
	c.fd = int(int32(c.args[0]))
	c.sock = t.socketAt(th, c.fd)
	return c.sock != nil
}

func enterSocket(_ *tracer, _ *thread, c *call) bool {
	family, kind, proto := int(c.args[0]), int(c.args[1])&0xf, int(c.args[2])
	return (family == unix.AF_INET || family == unix.AF_INET6) && kind == unix.SOCK_STREAM &&
		(proto == 0 || proto == unix.IPPROTO_TCP || proto == unix.IPPROTO_MPTCP)
}

func leaveSocket(t *tracer, th *thread, c *call, e event.Call) {
	e.Args = "AF_INET"
	if c.args[0] == unix.AF_INET6 {
		e.Args = "AF_INET6"
	}
	if int(c.args[2]) == unix.IPPROTO_MPTCP {
		e.Args += ", IPPROTO_MPTCP"
	}
	if e.Errno == "" {
		e.FD = int(e.Ret)
		c.sock = t.look(th, e.FD)
		c.sock.mark(&e)
	}
	t.deliver(c.sock, e)
}

func leaveBind(t *tracer, th *thread, c *call, e event.Call) {
	e.Args = sockaddrArg(th, c.args[1], c.args[2]).String()
	t.lookAgain(th, c.fd, c.sock)
	c.sock.mark(&e)
	t.deliver(c.sock, e)
}

// enterListen tells of the listener before its first connection can come. Where the kernel is still
// to choose the port, nobody else knows it before the call returns.
func enterListen(t *tracer, th *thread, c *call) bool {
	if !enterFD(t, th, c) {
		return false
	}
	if c.sock.local.Port() != 0 {
		t.tell(c.sock, Socket{Cookie: c.sock.id, Local: c.sock.local, State: Listening})
	}
	return true
}

func leaveListen(t *tracer, th *thread, c *call, e event.Call) {
	e.Args = fmt.Sprint(int32(c.args[1]))
	t.lookAgain(th, c.fd, c.sock)
	c.sock.mark(&e)
	t.deliver(c.sock, e)
}

func enterConnect(t *tracer, th *thread, c *call) bool {
	if !enterFD(t, th, c) {
		return false
	}
	c.peer = sockaddrArg(th, c.args[1], c.args[2])
	if c.peer.IsValid() {
		t.expect(c.sock, c.peer)
	}
	return true
}

// leaveConnect reads both addresses. Before the handshake has ended getpeername knows none, so
// the argument stands in for it. A peer without family, AF_UNSPEC, is a disconnect: the call
// keeps the addresses of the connection that it ended.
func leaveConnect(t *tracer, th *thread, c *call, e event.Call) {
	s := c.sock
	if !c.peer.IsValid() {
		e.Args = "AF_UNSPEC"
		t.deliver(s, e)
		if e.Errno == "" {
			s.local, s.remote = netip.AddrPort{}, netip.AddrPort{}
			t.lookAgain(th, c.fd, s)
			t.announce(s)
		}
		return
	}
	e.Args = c.peer.String()
	t.connected(th, c, e.Errno)
	s.mark(&e)
	t.deliver(s, e)
}

// connected reads the addresses after a call that has asked for a connection to c.peer.
func (t *tracer) connected(th *thread, c *call, errno string) {
	s := c.sock
	if errno != "EISCONN" && errno != "EALREADY" {
		s.remote = c.peer
	}
	t.lookAgain(th, c.fd, s)
	if s.local.IsValid() && s.local.Addr().IsUnspecified() {
		// A refused connect gives the address back, but not the port.
		s.local = netip.AddrPortFrom(source(c.peer), s.local.Port())
	}
	t.announce(s)
}

// source returns the address from which this system would send to peer, by connecting a socket
// that sends nothing.
func source(peer netip.AddrPort) netip.Addr {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(peer))
	if err != nil {
		return netip.IPv4Unspecified()
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}

// leaveAccept looks at the new descriptor. The call is about the accepted connection; its FD is
// the listener's.
func leaveAccept(t *tracer, th *thread, c *call, e event.Call) {
	if e.Errno == "" {
		e.Accepted = int(e.Ret)
		t.look(th, e.Accepted).mark(&e)
	}
	t.deliver(c.sock, e)
}

func sockaddrArg(th *thread, addr, size uint64) netip.AddrPort {
	var b [unix.SizeofSockaddrAny]byte
	n := th.read(addr, b[:min(size, uint64(len(b)))])
	return parseSockaddr(b[:n])
}
