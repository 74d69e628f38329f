//go:build linux && (amd64 || arm64)

package trace_test

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/trace"
)

// heard is what OnSocket heard of one socket, or OnCall of a call that returned.
type heard struct {
	trace.Socket
	call string
}

// tell traces a program and returns both in one order.
func tell(t *testing.T, program string) []heard {
	t.Helper()
	var order []heard
	opts := programOptions(program, trace.Options{
		OnSocket: func(s trace.Socket) { order = append(order, heard{Socket: s}) },
		OnCall: func(c event.Call) {
			order = append(order, heard{trace.Socket{Cookie: c.Socket, Local: c.Local, Remote: c.Remote}, c.Name})
		},
	})
	_, err := trace.Run(t.Context(), opts)
	skipUnable(t, err)
	return order
}

// TestOnSocket hears of every connect and listen before it returns, of both ends of a connection by the
// time that they are used, and of each socket's end once.
func TestOnSocket(t *testing.T) {
	for _, program := range []string{"close-unread", "refused", "again", "fast-open"} {
		t.Run(program, func(t *testing.T) {
			order := tell(t, program)
			last := map[uint64]trace.Socket{}
			was := map[uint64][]trace.SocketState{}
			connects := 0
			for _, o := range order {
				if o.call == "" {
					last[o.Cookie] = o.Socket
					was[o.Cookie] = append(was[o.Cookie], o.State)
					continue
				}
				now, before := last[o.Cookie], was[o.Cookie]
				switch {
				case o.call == "listen" && (now.State != trace.Listening || now.Local != o.Local):
					t.Errorf("listen at %v: told of %+v", o.Local, now)
				case o.call == "connect" || o.call == "send" && program == "fast-open" && slices.Contains(before, trace.Connecting):
					connects++
					if n := len(before); n < 2 || before[n-2] != trace.Connecting || now.State != trace.Connected || now.Local != o.Local || now.Remote != o.Remote || o.Local.Port() == 0 {
						t.Errorf("%s from %v to %v: told %v, last %+v", o.call, o.Local, o.Remote, before, now)
					}
				case o.call == "accept" && (now.State != trace.Connected || now.Local != o.Local || now.Remote != o.Remote):
					t.Errorf("accept at %v from %v: told of %+v", o.Local, o.Remote, now)
				}
			}
			if want := map[string]int{"close-unread": 1, "refused": 2, "again": 3, "fast-open": 2}[program]; connects != want {
				t.Errorf("%d connects, want %d", connects, want)
			}
			for cookie, s := range last {
				if s.State != trace.Closed {
					t.Errorf("socket %d is %v in the end, want it closed", cookie, s.State)
				}
			}
		})
	}
}

// again connects one socket to where nobody listens, and then to where somebody does.
func again() {
	p := connected()
	s := must1(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	if err := unix.Connect(s, &unix.SockaddrInet4{Port: 1, Addr: [4]byte{127, 0, 0, 1}}); err == nil {
		must(errors.New("somebody listens at port 1"))
	}
	must(unix.Connect(s, must1(unix.Getsockname(p.listener))))
}

// fastOpen connects by sendto.
func fastOpen() {
	p := connected()
	s := must1(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	must(unix.Sendto(s, []byte("early"), unix.MSG_FASTOPEN, must1(unix.Getsockname(p.listener))))
}
