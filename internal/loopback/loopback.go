// Package loopback makes TCP connections on the loopback for tests.
package loopback

import (
	"net"
	"testing"
)

// Listen returns a listener that is closed when the test ends, if not before.
func Listen(t testing.TB) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// Port returns where l listens.
func Port(l *net.TCPListener) uint16 { return uint16(l.Addr().(*net.TCPAddr).Port) }

// Connect connects two sockets through l. They are the caller's to close.
func Connect(t testing.TB, l *net.TCPListener) (client, server *net.TCPConn) {
	t.Helper()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// Pair connects two sockets, the server's on port, through a listener that is closed then.
func Pair(t testing.TB) (client, server *net.TCPConn, port uint16) {
	t.Helper()
	l := Listen(t)
	defer l.Close()
	client, server = Connect(t, l)
	return client, server, Port(l)
}
