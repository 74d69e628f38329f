//go:build linux && (amd64 || arm64)

package trace_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// multipath closes an MPTCP listener while the connection that it accepted goes on.
func multipath() {
	p := connectedBy(unix.IPPROTO_MPTCP)
	must(unix.Close(p.listener))
	must1(unix.Write(p.client, []byte("hi")))
	var b [4]byte
	must1(unix.Read(p.server, b[:]))
	must(unix.Close(p.server))
	must1(unix.Read(p.client, b[:]))
	must(unix.Close(p.client))
}

// TestMultipath: the kernel gives a listener of MPTCP and what it accepts one cookie. They are two sockets.
func TestMultipath(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	if err == unix.EPROTONOSUPPORT || err == unix.ENOPROTOOPT {
		t.Skipf("this kernel has no MPTCP: %v", os.NewSyscallError("socket", err))
	}
	skipUnable(t, err)
	unix.Close(fd)
	r := recordProgram(t, "multipath")
	expect(t, r,
		"close(0, ) = 0",
		"send(1, 2 bytes) = 2",
		"recv(2, 4 bytes) = 2",
		"close(2, ) = 0",
		"recv(1, 4 bytes) = 0",
		"close(1, ) = 0",
	)
	socket, accept, connect, closes := only(r.calls, "socket")[0], only(r.calls, "accept")[0], only(r.calls, "connect")[0], only(r.calls, "close")
	if !strings.Contains(socket.Args, "IPPROTO_MPTCP") {
		t.Errorf("socket(%s), want it to name IPPROTO_MPTCP", socket.Args)
	}
	if accept.Socket == socket.Socket || accept.Socket == connect.Socket {
		t.Errorf("accept's socket is %x, the listener's %x, the client's %x: want three", accept.Socket, socket.Socket, connect.Socket)
	}
	got := fmt.Sprintf("%x %v, %x %v, %x", closes[0].Socket, closes[0].Remote.IsValid(), closes[1].Socket, closes[1].Remote.IsValid(), closes[2].Socket)
	want := fmt.Sprintf("%x false, %x true, %x", socket.Socket, accept.Socket, connect.Socket)
	if got != want {
		t.Errorf("closes of sockets %s, want %s", got, want)
	}
	for _, c := range closes {
		if c.RecvQ > 0 {
			t.Errorf("close(%d): %d bytes unread, want none: a DATA_FIN is no data", c.FD, c.RecvQ)
		}
		if c.Note != "" {
			t.Errorf("close(%d): note = %q, want none: a subflow that is open still is MPTCP's", c.FD, c.Note)
		}
	}
}
