//go:build amd64 || arm64

package follow

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/trace"
)

// programEnv names the program that this test binary becomes.
const programEnv = "CLOSECAP_TEST_PROGRAM"

var programs = map[string]func(){"ends": ends, "older": older, "leaves": leaves, "namespace": namespace, "sends": sends,
	"multipath": multipath, "older multipath": olderMultipath,
	"interrupted": func() { lingers(unix.SIGURG) }, "killed": func() { lingers(unix.SIGKILL) }}

func TestMain(m *testing.M) {
	trace.LauncherMain()
	if p := programs[os.Getenv(programEnv)]; p != nil {
		p()
		os.Exit(3)
	}
	os.Exit(m.Run())
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func newSocket() int { return must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)) }

func listen() (fd int, at unix.Sockaddr) {
	fd = newSocket()
	check(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check(unix.Listen(fd, 5))
	return fd, must(unix.Getsockname(fd))
}

func pair() (client, server int) {
	l, at := listen()
	client = newSocket()
	check(unix.Connect(client, at))
	server, _, err := unix.Accept(l)
	check(err)
	check(unix.Close(l))
	return client, server
}

// told waits for a line of standard input, and says first that it is there.
func told(in *bufio.Reader) {
	fmt.Println("ready")
	must(in.ReadString('\n'))
}

// ends talks in the ways that a program can end a connection.
func ends() {
	in := bufio.NewReader(os.Stdin)
	told(in)
	l, at := listen()
	client := newSocket()
	check(unix.SetsockoptLinger(client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	check(unix.Connect(client, at))
	server, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
	check(err)
	must(unix.Write(client, []byte("hello")))
	b := make([]byte, 64)
	must(unix.Read(server, b))
	check(unix.Sendto(server, []byte("answer"), unix.MSG_NOSIGNAL, nil))
	must(unix.SendmsgN(server, []byte("more"), nil, nil, 0))
	n, _, err := unix.Recvfrom(client, b, unix.MSG_PEEK)
	must(n, err)
	must(unix.Dup(client))
	check(unix.Close(client)) // held by the duplicate
	told(in)
	check(unix.Shutdown(server, unix.SHUT_RDWR))
	check(unix.Close(server))
	refused := newSocket()
	if err := unix.Connect(refused, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 1}); err != unix.ECONNREFUSED {
		panic(err)
	}
	must(0, unix.SetNonblock(refused, true))
	f := must(os.CreateTemp("", "closecap"))
	check(os.Remove(f.Name()))
	must(f.WriteString("no socket"))
	check(f.Close())
	// exit closes the listener and the duplicate
}

// older has a connection from before.
func older() {
	client, server := pair()
	in := bufio.NewReader(os.Stdin)
	told(in)
	must(unix.Write(client, []byte("late")))
	must(unix.Read(server, make([]byte, 9)))
	check(unix.Close(client))
	must(unix.Read(server, make([]byte, 9)))
	check(unix.Close(server))
}

// leaves ends with a call that has not returned.
func leaves() {
	client, server := pair()
	in := bufio.NewReader(os.Stdin)
	told(in)
	go unix.Read(server, make([]byte, 9))
	time.Sleep(100 * time.Millisecond)
	told(in)
	check(unix.Close(client))
}

// heard is what a Follower delivered.
type heard struct {
	*Follower
	calls   []event.Call
	sockets []trace.Socket
}

func open(t *testing.T) *heard {
	t.Helper()
	h := &heard{}
	var err error
	h.Follower, err = Open(Options{
		OnCall:   func(c event.Call) { h.calls = append(h.calls, c) },
		OnSocket: func(s trace.Socket) { h.sockets = append(h.sockets, s) },
	})
	if err != nil {
		if os.Getenv("CLOSECAP_NO_SKIP") == "" && (errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported)) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// program starts one, which is ready when this returns. go lets it go on, and wait for its next word.
func program(t *testing.T, name string) (cmd *exec.Cmd, goOn func(wait bool)) {
	t.Helper()
	cmd = exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), programEnv+"="+name)
	cmd.Stderr = os.Stderr
	in := must(cmd.StdinPipe())
	out := bufio.NewReader(must(cmd.StdoutPipe()))
	check(cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	must(out.ReadString('\n'))
	return cmd, func(wait bool) {
		must(fmt.Fprintln(in))
		if wait {
			must(out.ReadString('\n'))
		}
	}
}

// until polls until the process has ended, and what it closed is told.
func (h *heard) until(t *testing.T, cmd *exec.Cmd) Result {
	t.Helper()
	go cmd.Wait()
	for end := time.Now().Add(20 * time.Second); h.Runs(cmd.Process.Pid); {
		if time.Now().After(end) {
			t.Fatal("the program does not end")
		}
		check(h.Poll(10 * time.Millisecond))
	}
	check(h.Poll(300 * time.Millisecond))
	return h.Finish()
}

// rows writes the calls in order of their starts, without what differs from run to run.
func (h *heard) rows(pid int) []string {
	calls := slices.Clone(h.calls)
	slices.SortStableFunc(calls, func(a, b event.Call) int { return int(a.Start - b.Start) })
	var rows []string
	for _, c := range calls {
		row := strings.TrimPrefix(c.Summary(), fmt.Sprintf("exe[%d] ", pid))
		for _, s := range c.Samples {
			row += " " + s.State.String()
		}
		for _, h := range c.Holders {
			row += fmt.Sprintf(" held %d", h.FD)
		}
		if c.RecvQ > 0 {
			row += fmt.Sprintf(" unread %d", c.RecvQ)
		}
		if c.Peek {
			row += " peek"
		}
		rows = append(rows, row)
	}
	return rows
}

// TestFollow follows what this process starts, from its first call to its end.
func TestFollow(t *testing.T) {
	h := open(t)
	stop := must(h.FollowChildren())
	cmd, goOn := program(t, "ends")
	stop()
	goOn(true)
	check(h.Poll(100 * time.Millisecond)) // who holds a closed socket is asked then
	goOn(false)
	result := h.until(t, cmd)
	if len(result.Warnings) != 0 || result.Processes != 1 || result.Calls != len(h.calls) {
		t.Errorf("result %+v of %d calls", result, len(h.calls))
	}
	var listener, refused netip.AddrPort
	for _, c := range h.calls {
		switch {
		case c.Name == "listen":
			listener = c.Local
		case c.Errno == "ECONNREFUSED":
			refused = c.Local
		}
		if c.Socket == 0 || c.Start == 0 || c.End < c.Start || c.PID != cmd.Process.Pid {
			t.Errorf("call %+v: no socket, time or process", c)
		}
		if n := len(c.Sent); c.Name == "send" && (n != 1 || int64(c.Sent[0].Len) != c.Ret) || c.Name == "connect" && (n == 0 || c.Sent[0].Flags != event.SYN) {
			t.Errorf("%s: the kernel says that it sent %+v", c.Summary(), c.Sent)
		}
	}
	if refused.Port() == 0 {
		t.Errorf("the refused connect is from %v, want its port", refused)
	}
	got := h.rows(cmd.Process.Pid)
	for i, row := range got { // whether the ACK of the FIN came inside the call is the kernel's to say
		got[i] = strings.Replace(row, "FIN_WAIT1", "FIN_WAIT2", 1)
	}
	// Go itself has the lowest descriptors.
	var first int
	if n, err := fmt.Sscanf(strings.Join(got[:min(1, len(got))], ""), "socket(%d,", &first); n != 1 {
		t.Fatalf("calls %q: %v, want a socket first", got, err)
	}
	l, client, server, dup := first, first+1, first+2, first+3
	want := []string{
		fmt.Sprintf("socket(%d, AF_INET) = %d", l, l), fmt.Sprintf("bind(%d, %v) = 0", l, listener), fmt.Sprintf("listen(%d, 5) = 0", l),
		fmt.Sprintf("socket(%d, AF_INET) = %d", client, client),
		fmt.Sprintf("setsockopt(%d, SO_LINGER, {l_onoff=1, l_linger=0}) = 0", client),
		fmt.Sprintf("connect(%d, %v) = 0 ESTABLISHED", client, listener), fmt.Sprintf("accept(%d) = %d ESTABLISHED", l, server),
		fmt.Sprintf("send(%d, 5 bytes) = 5", client), fmt.Sprintf("recv(%d, 64 bytes) = 5", server),
		fmt.Sprintf("send(%d, 6 bytes, MSG_NOSIGNAL) = 6", server), fmt.Sprintf("send(%d) = 4", server),
		fmt.Sprintf("recv(%d, 64 bytes, MSG_PEEK) = 10 peek", client),
		fmt.Sprintf("close(%d) = 0 ESTABLISHED held %d unread 10", client, dup),
		fmt.Sprintf("shutdown(%d, SHUT_RDWR) = 0 FIN_WAIT2", server), fmt.Sprintf("close(%d) = 0 FIN_WAIT2", server),
		fmt.Sprintf("socket(%d, AF_INET) = %d", client, client),
		fmt.Sprintf("connect(%d, 127.0.0.1:1) = -1 ECONNREFUSED CLOSED", client),
	}
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("calls\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// The listener and the duplicate.
	if rest := got[min(len(want), len(got)):]; len(rest) != 2 || !strings.HasPrefix(rest[0], "exit(3) = 0") || !strings.HasPrefix(rest[1], "exit(3) = 0") {
		t.Errorf("after that %q, want the exit to close two", rest)
	}
	states := map[trace.SocketState]int{}
	for _, s := range h.sockets {
		states[s.State]++
	}
	if states[trace.Listening] != 1 || states[trace.Connected] < 2 || states[trace.Connecting] != 2 || states[trace.Closed] < 3 {
		t.Errorf("sockets %+v", h.sockets)
	}
}

// TestFollowOlder follows a running program with a connection that is older.
func TestFollowOlder(t *testing.T) {
	h := open(t)
	cmd, goOn := program(t, "older")
	check(h.Follow([]int{cmd.Process.Pid}))
	var ends []trace.Socket
	for _, s := range h.sockets {
		if s.State == trace.Connected {
			ends = append(ends, s)
		}
	}
	if len(ends) != 2 || ends[0].Local != ends[1].Remote || ends[0].Remote != ends[1].Local {
		t.Fatalf("told of %+v, want both ends of the connection", h.sockets)
	}
	goOn(false)
	h.until(t, cmd)
	want := []string{"send = 4", "recv = 4", "close = 0", "recv = 0 CLOSE_WAIT", "close = 0 CLOSED"}
	var got []string
	for _, row := range h.rows(cmd.Process.Pid) {
		name, _, _ := strings.Cut(row, "(")
		_, result, _ := strings.Cut(row, ") ")
		if row := name + " " + result; strings.HasPrefix(row, "close = 0 FIN_WAIT") {
			got = append(got, "close = 0") // FIN_WAIT1 or FIN_WAIT2
		} else {
			got = append(got, row)
		}
	}
	// LAST_ACK may be over when the close returns, or not.
	if len(got) > 0 {
		got[len(got)-1] = strings.Replace(got[len(got)-1], "LAST_ACK", "CLOSED", 1)
	}
	if !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
	for _, c := range h.calls {
		if c.Local != ends[0].Local && c.Local != ends[1].Local {
			t.Errorf("%s is of %v, want one of the connection's ends", c.Name, c.Local)
		}
	}
}

// TestFollowRunning delivers the call that has not returned.
func TestFollowRunning(t *testing.T) {
	h := open(t)
	cmd, goOn := program(t, "leaves")
	check(h.Follow([]int{cmd.Process.Pid}))
	goOn(true)
	check(h.Poll(10 * time.Millisecond))
	h.Finish()
	if len(h.calls) != 1 || h.calls[0].Name != "recv" || h.calls[0].End != 0 {
		t.Errorf("calls %+v, want a recv that has not returned", h.calls)
	}
}

func TestFollowNobody(t *testing.T) {
	h := open(t)
	cmd := exec.Command("true")
	check(cmd.Run())
	if err := h.Follow([]int{cmd.Process.Pid}); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("follow one that has ended: %v", err)
	}
}

// TestFollowNamespaces refuses what would show nothing: a process with another network, and process numbers
// that are not the kernel's.
func TestFollowNamespaces(t *testing.T) {
	h := open(t)
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", must(os.Executable()))
	cmd.Env = append(os.Environ(), programEnv+"=namespace")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "process namespace of their own") {
		t.Errorf("in a process namespace: %v, %s", err, out)
	}
	cmd = exec.Command("unshare", "--net", "sleep", "60")
	check(cmd.Start())
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	own := must(os.Readlink("/proc/self/ns/net"))
	for end := time.Now().Add(10 * time.Second); must(os.Readlink(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))) == own; {
		if time.Now().After(end) {
			t.Fatal("unshare does not unshare")
		}
		time.Sleep(time.Millisecond)
	}
	if err := h.Follow([]int{cmd.Process.Pid}); err == nil || !strings.Contains(err.Error(), "another network namespace") {
		t.Errorf("follow a process with another network: %v", err)
	}
}

// namespace says what Open does.
func namespace() {
	_, err := Open(Options{})
	fmt.Println(err)
	os.Exit(0)
}
