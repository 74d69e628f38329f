//go:build amd64 || arm64

package follow

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/trace"
)

// multipathPair returns the ends of an MPTCP connection, whose listener goes on.
func multipathPair() (client, server int) {
	l := must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP))
	check(unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check(unix.Listen(l, 5))
	client = must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP))
	check(unix.Connect(client, must(unix.Getsockname(l))))
	server, _, err := unix.Accept(l)
	check(err)
	return client, server
}

func multipath() {
	in := bufio.NewReader(os.Stdin)
	told(in)
	client, server := multipathPair()
	must(unix.Write(client, []byte("hello")))
	must(unix.Read(server, make([]byte, 2)))
	must(unix.Dup(server))
	check(unix.Close(server)) // held by the duplicate
	told(in)
	must(unix.Write(client, []byte("more")))
	// exit closes the rest
}

func olderMultipath() {
	client, server := multipathPair()
	told(bufio.NewReader(os.Stdin))
	must(unix.Write(client, []byte("late")))
	must(unix.Read(server, make([]byte, 9)))
	check(unix.Close(client))
}

// needMultipath skips where the kernel has none.
func needMultipath(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	if err == unix.EPROTONOSUPPORT || err == unix.ENOPROTOOPT {
		t.Skipf("this kernel has no MPTCP: %v", os.NewSyscallError("socket", err))
	}
	check(err)
	check(unix.Close(fd))
}

// TestFollowMultipath: MPTCP's sockets are known by their inodes, and their calls send the segments of the
// sockets below them.
func TestFollowMultipath(t *testing.T) {
	needMultipath(t)
	h := open(t)
	stop := must(h.FollowChildren())
	cmd, goOn := program(t, "multipath")
	stop()
	goOn(true)
	check(h.Poll(100 * time.Millisecond)) // who holds a closed socket is asked then
	goOn(false)
	h.until(t, cmd)
	var got []string
	ids := map[uint64]bool{}
	for _, c := range h.ordered() {
		ids[c.Socket] = true
		row := fmt.Sprintf("%s %d", c.Name, c.Ret)
		if c.Name == "exit" || c.Name == "close" {
			row = c.Name
		}
		if len(c.Samples) != 0 || !trace.IsMultipath(c.Socket) {
			t.Errorf("%s: socket %x, samples %v, want MPTCP's without a state of TCP", c.Summary(), c.Socket, c.Samples)
		}
		if (c.Name == "connect" || c.Name == "send") && len(c.Sent) == 0 {
			t.Errorf("%s sent nothing", c.Summary())
		}
		if c.Name == "close" && (c.RecvQ != 3 || len(c.Holders) != 1) {
			t.Errorf("%s: %d bytes unread, held by %v, want 3 and the duplicate", c.Summary(), c.RecvQ, c.Holders)
		}
		got = append(got, row)
	}
	first := h.ordered()[0].Ret
	want := []string{
		fmt.Sprint("socket ", first), "bind 0", "listen 0", fmt.Sprint("socket ", first+1), "connect 0", fmt.Sprint("accept ", first+2),
		"send 5", "recv 2", "close", "send 4", "exit", "exit", "exit",
	}
	if !slices.Equal(got, want) || len(ids) != 3 {
		t.Errorf("%d sockets' calls %q, want three sockets' %q", len(ids), got, want)
	}
}

// TestFollowOlderMultipath: of a connection that is older the first call tells.
func TestFollowOlderMultipath(t *testing.T) {
	needMultipath(t)
	h := open(t)
	cmd, goOn := program(t, "older multipath")
	check(h.Follow([]int{cmd.Process.Pid}))
	goOn(false)
	h.until(t, cmd)
	connected := 0
	for _, s := range h.sockets {
		if s.State == trace.Connected && trace.IsMultipath(s.Cookie) {
			connected++
		}
	}
	if got := strings.Join(h.rows(cmd.Process.Pid), "\n"); connected != 2 || !strings.Contains(got, "= 4\nrecv(") {
		t.Errorf("%d ends were told of, calls\n%s\nwant both, and what they sent and received", connected, got)
	}
}

// ordered returns the calls in order of their starts.
func (h *heard) ordered() []event.Call {
	calls := slices.Clone(h.calls)
	slices.SortStableFunc(calls, func(a, b event.Call) int { return int(a.Start - b.Start) })
	return calls
}
