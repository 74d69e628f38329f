//go:build linux && (amd64 || arm64)

package trace_test

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// programs are what the test binary can become. They make bare system calls, so that the tests
// know every one of them.
var programs = map[string]func(){
	"close-unread": closeUnread,
}

func closeUnread() {
	p := connected()
	must1(unix.Write(p.client, []byte("hello")))
	must(unix.Close(p.server))
	var b [16]byte
	unix.Read(p.client, b[:])
	must(unix.Close(p.client))
}

// pair is a connection to oneself.
type pair struct{ listener, client, server int }

// connected opens a listener and a connection to it, on the main goroutine's thread from now on.
func connected() pair {
	runtime.LockOSThread()
	var p pair
	p.listener = must1(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	must(unix.Bind(p.listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(unix.Listen(p.listener, 1))
	p.client = must1(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	must(unix.Connect(p.client, must1(unix.Getsockname(p.listener))))
	server, _, err := unix.Accept(p.listener)
	must(err)
	p.server = server
	return p
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func must1[T any](v T, err error) T {
	must(err)
	return v
}
