//go:build linux && (amd64 || arm64)

package trace_test

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/trace"
)

const (
	crowdClients = 50 // threads
	crowdServers = 32 // threads
	crowdEach    = 20 // connections of a client thread
)

// crowd has 50 threads make 20 connections each to 32 threads of the same process. Each thread opens
// a socket while others are still closing theirs, so every number is soon another socket's. It says
// on standard output what each of them had: thread and both addresses.
func crowd() {
	listener := must1(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	must(unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(unix.Listen(listener, 4096))
	server := must1(unix.Getsockname(listener)).(*unix.SockaddrInet4)
	var clients, servers sync.WaitGroup
	for range crowdServers {
		servers.Go(func() { crowdServe(listener) })
	}
	for range crowdClients {
		clients.Go(func() { crowdConnect(*server) })
	}
	clients.Wait()
	must(unix.Shutdown(listener, unix.SHUT_RDWR))
	servers.Wait()
}

// crowdConnect has an address of its own: the call to connect writes into it.
func crowdConnect(server unix.SockaddrInet4) {
	runtime.LockOSThread()
	b := make([]byte, 100)
	for range crowdEach {
		s := must1(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
		must(unix.Connect(s, &server))
		defer fmt.Println("client", unix.Gettid(), addrOf(must1(unix.Getsockname(s))), addrOf(&server))
		must1(unix.Write(s, b))
		must1(unix.Read(s, b))
		must(unix.Close(s))
	}
}

func crowdServe(listener int) {
	runtime.LockOSThread()
	b := make([]byte, 100)
	for {
		s, peer, err := unix.Accept4(listener, 0)
		if err != nil {
			return // it was shut down
		}
		defer fmt.Println("server", unix.Gettid(), addrOf(must1(unix.Getsockname(s))), addrOf(peer))
		must1(unix.Read(s, b))
		must1(unix.Write(s, b))
		must1(unix.Read(s, b))
		must(unix.Close(s))
	}
}

func addrOf(sa unix.Sockaddr) netip.AddrPort {
	in := sa.(*unix.SockaddrInet4)
	return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port))
}

// TestCrowd asks of each call in a crowd of threads whether it is about the socket that its thread
// had: the program itself says which.
func TestCrowd(t *testing.T) {
	type end struct {
		tid           int
		local, remote netip.AddrPort
	}
	r, truth := traceOutput(t, "crowd")
	missing, ends := map[end]map[string]int{}, 0
	for lines := bufio.NewScanner(truth); lines.Scan(); {
		var role, local, remote string
		var e end
		if _, err := fmt.Sscan(lines.Text(), &role, &e.tid, &local, &remote); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		e.local, e.remote = netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
		if ends++; missing[e] == nil {
			missing[e] = map[string]int{}
		}
		calls := []string{"connect", "send", "recv", "close"}
		if role == "server" {
			calls = []string{"accept", "send", "recv", "recv", "close"}
		}
		for _, name := range calls { // the same thread may get the same port a second time
			missing[e][name]++
		}
	}
	if want := 2 * crowdClients * crowdEach; ends != want {
		t.Fatalf("the program had %d ends, want %d", ends, want)
	}
	sockets := map[uint64]end{}
	for _, c := range r.calls {
		if !slices.Contains([]string{"connect", "accept", "send", "recv", "close"}, c.Name) || c.Errno != "" {
			continue
		}
		e := end{c.TID, c.Local, c.Remote}
		if calls := missing[e]; calls[c.Name] == 0 {
			t.Errorf("%s by %d on %v to %v: its thread made no such call", c.Name, c.TID, c.Local, c.Remote)
		} else {
			calls[c.Name]--
		}
		if other, seen := sockets[c.Socket]; c.Socket == 0 || seen && other != e {
			t.Errorf("%s by %d on %v to %v: socket %d, which is %v's", c.Name, c.TID, c.Local, c.Remote, c.Socket, other)
		}
		sockets[c.Socket] = e
	}
	for e, calls := range missing {
		for name, n := range calls {
			if n > 0 {
				t.Errorf("thread %d's %v to %v: %d %s not shown", e.tid, e.local, e.remote, n, name)
			}
		}
	}
}

// traceOutput traces one of the programs and keeps what it writes.
func traceOutput(t *testing.T, program string) (recording, *os.File) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	r := record(t, programOptions(program, trace.Options{Stdout: out}))
	if r.result.ExitStatus != 0 {
		t.Fatalf("exit status = %d, want 0", r.result.ExitStatus)
	}
	if _, err := out.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	return r, out
}

// reuse has one thread linger in a close, which frees the number at once, while another uses that
// number for a file, for a socket that comes by message, and for a new connection.
func reuse() {
	p, other := connected(), connected()
	way := must1(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0))
	must(unix.Sendmsg(way[0], []byte("x"), unix.UnixRights(other.client), nil, 0))
	must(unix.Close(other.client))
	must(unix.SetNonblock(p.client, true))
	must1(unix.Write(p.client, make([]byte, 64<<20))) // more than the server's end takes
	must(unix.SetsockoptLinger(p.client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 2}))
	closed := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		must(unix.Close(p.client))
		close(closed)
	}()
	for {
		if _, err := unix.FcntlInt(uintptr(p.client), unix.F_GETFD, 0); err != nil {
			break
		}
		runtime.Gosched()
	}
	file := must1(unix.Open("/dev/null", unix.O_WRONLY, 0))
	must1(unix.Write(file, []byte("to the file")))
	must(unix.Close(file))

	b, oob := make([]byte, 1), make([]byte, 100)
	_, n, _, _, err := unix.Recvmsg(way[1], b, oob, 0)
	must(err)
	passed := must1(unix.ParseUnixRights(&must1(unix.ParseSocketControlMessage(oob[:n]))[0]))[0]
	must1(unix.Write(passed, []byte("by message")))
	must(unix.Close(passed))

	fresh := must1(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	must(unix.Connect(fresh, must1(unix.Getsockname(other.listener))))
	must1(unix.Write(fresh, []byte("fresh")))
	must(unix.Close(fresh))
	select {
	case <-closed:
		must(errors.New("the close did not linger"))
	default:
	}
	for _, fd := range []int{file, passed, fresh} {
		if fd != p.client {
			must(fmt.Errorf("descriptor %d, want %d again", fd, p.client))
		}
	}
	<-closed
}

// TestReuse asks for the right socket, or none, of each call on a number that three sockets and a
// file had while the first one's close had not returned.
func TestReuse(t *testing.T) {
	r := recordProgram(t, "reuse")
	if r.result.ExitStatus != 0 {
		t.Fatalf("exit status = %d, want 0", r.result.ExitStatus)
	}
	connects := only(r.calls, "connect")
	lingering, passed, fresh := connects[0], connects[1], connects[2]
	var got, want []string
	for _, c := range r.calls {
		if c.FD == lingering.FD && (c.Name == "connect" || c.Name == "send" || c.Name == "close") {
			got = append(got, fmt.Sprintf("%s %q of socket %d, %v", c.Name, c.Text, c.Socket, c.Local))
		}
	}
	line := func(name, text string, c *event.Call) {
		want = append(want, fmt.Sprintf("%s %q of socket %d, %v", name, text, c.Socket, c.Local))
	}
	line("connect", "", lingering)
	line("send", strings.Repeat("\x00", 256)+"…", lingering)
	line("send", "by message", passed)
	line("close", "", passed)
	line("connect", "", fresh)
	line("send", "fresh", fresh)
	line("close", "", fresh)
	line("close", "", lingering)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls of descriptor %d differ (-want +got):\n%s", lingering.FD, diff)
	}
	for _, c := range connects {
		if !c.Local.IsValid() || c.Socket == 0 {
			t.Errorf("connect = socket %d from %v, want both", c.Socket, c.Local)
		}
	}
}
