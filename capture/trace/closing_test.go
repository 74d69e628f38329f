//go:build linux && (amd64 || arm64)

package trace_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// TestCloseUnread follows one program that holds both ends of a connection and closes one with
// bytes unread.
func TestCloseUnread(t *testing.T) {
	r := recordProgram(t, "close-unread")
	listener := r.calls[1].Local
	want := []string{
		"socket(0, AF_INET) = fd 0",
		"bind(0, 127.0.0.1:0) = 0",
		"listen(0, 1) = 0",
		"socket(1, AF_INET) = fd 1",
		"connect(1, " + listener.String() + ") = 0",
		"accept(0, ) = fd 2",
		"send(1, 5 bytes) = 5",
		"close(2, ) = 0",
		"recv(1, 16 bytes) = ECONNRESET",
		"close(1, ) = 0",
		"exit(0, 0) = 0",
	}
	if got := story(r.calls); !slices.Equal(got, want) {
		t.Fatalf("calls = %q,\nwant %q", got, want)
	}
	connect, accept, closing := r.calls[4], r.calls[5], r.calls[7]
	if accept.Local != connect.Remote || accept.Remote != connect.Local || !accept.Remote.IsValid() {
		t.Errorf("accept = %v from %v, want the mirror of connect's %v to %v",
			accept.Local, accept.Remote, connect.Local, connect.Remote)
	}
	if accept.Accepted != closing.FD || accept.Socket == connect.Socket || closing.Socket != accept.Socket {
		t.Errorf("accept = fd %d, cookie %x; close's cookie %x", accept.Accepted, accept.Socket, closing.Socket)
	}
	if closing.RecvQ != 5 {
		t.Errorf("close: RecvQ = %d, want 5", closing.RecvQ)
	}
	if len(closing.Samples) != 2 || closing.Samples[0].State != event.Closed {
		t.Errorf("close: samples = %+v, want both ends, the closing one CLOSED", closing.Samples)
	}
	if text := r.calls[6].Text; text != "hello" {
		t.Errorf("send: text = %q, want hello", text)
	}
	if r.result.ExitStatus != 0 || r.result.Processes != 1 {
		t.Errorf("result = %+v, want status 0 of one process", r.result)
	}
}

// TestShare closes a socket that a child process holds: nothing ends until the child does.
func TestShare(t *testing.T) {
	r := recordProgram(t, "share")
	connect := only(r.calls, "connect")[0]
	i := slices.IndexFunc(r.calls, func(c *event.Call) bool { return c.Name == "close" && c.FD == connect.FD && c.PID == connect.PID })
	if i < 0 {
		t.Fatalf("no close of fd %d in %q", connect.FD, story(r.calls))
	}
	closing := r.calls[i]
	if len(closing.Holders) == 0 || closing.Holders[0].PID == closing.PID || closing.Holders[0].FD != 3 {
		t.Errorf("close: holders = %+v, want the child's fd 3", closing.Holders)
	}
	if s := closing.Samples[0]; s.State != event.Established {
		t.Errorf("close: state = %v, want ESTABLISHED", s.State)
	}
	child := r.calls[slices.IndexFunc(r.calls, func(c *event.Call) bool { return c.Name == "exit" && c.FD == 3 })]
	if child.Socket != connect.Socket || child.PID != closing.Holders[0].PID || len(child.Holders) != 0 {
		t.Errorf("child's exit = %+v, want socket %x with no holders left", child, connect.Socket)
	}
	if want := fmt.Sprintf("exe[%d]", child.PID); child.Actor != want {
		t.Errorf("child's actor = %q, want %q", child.Actor, want)
	}
	if s := child.Samples[0]; !s.Orphan {
		t.Errorf("child's exit: %v, want an orphan", s)
	}
}

func TestDescriptors(t *testing.T) {
	r := recordProgram(t, "descriptors")
	var got []string
	for _, c := range r.calls {
		if c.Name == "dup" || c.Name == "close" {
			got = append(got, fmt.Sprintf("%s/%s %d holders", c.Name, c.Syscall, len(c.Holders)))
		}
	}
	want := []string{
		"dup/fcntl 0 holders", "close/dup3 0 holders", "dup/dup3 0 holders", "dup/ 0 holders",
		"close/close_range 1 holders", "close/close_range 1 holders", "close/close_range 1 holders",
		"close/ 0 holders",
	}
	if !slices.Equal(got, want) {
		t.Errorf("calls = %q,\nwant %q", got, want)
	}
	client := only(r.calls, "connect")[0].Socket
	for _, c := range only(r.calls, "close") {
		if same := c.Socket == client; same == (c.Syscall == "dup3") {
			t.Errorf("%s(%d): socket %x, the client's is %x", c.Syscall, c.FD, c.Socket, client)
		}
	}
}

// TestPass follows a socket through a message: while it travels no process holds it.
func TestPass(t *testing.T) {
	r := recordProgram(t, "pass")
	client := only(r.calls, "connect")[0].Socket
	closes := only(r.calls, "close")
	if len(closes) != 2 || closes[0].Socket != client || closes[1].Socket != client {
		t.Fatalf("closes = %+v, want two of socket %x", closes, client)
	}
	if !strings.HasPrefix(closes[0].Note, "still open") || closes[1].Note != "" {
		t.Errorf("notes = %q and %q, want only the first to say that it is still open", closes[0].Note, closes[1].Note)
	}
	if send := only(r.calls, "send")[0]; send.Socket != client || send.Syscall != "write" {
		t.Errorf("send = %+v, want a write on socket %x", send, client)
	}
}

// TestExec closes one socket by exec and the other by the exit of the new program.
func TestExec(t *testing.T) {
	r := recordProgram(t, "exec")
	expect(t, r,
		"send(2, 3 bytes) = 3",
		"close(0, ) = 0",
		"close(1, ) = 0",
		"exit(2, 0) = 0",
	)
	closing := only(r.calls, "close")[1]
	if closing.Syscall != "execve" || closing.RecvQ != 3 {
		t.Errorf("close = %q with %d bytes unread, want execve with 3", closing.Syscall, closing.RecvQ)
	}
}

// TestExecThread ends a call without result: an exec by another thread ended the one inside it.
func TestExecThread(t *testing.T) {
	r := recordProgram(t, "exec-thread")
	expect(t, r,
		"recv(1, 16 bytes) = -1",
		"close(0, ) = 0",
		"close(1, ) = 0",
		"close(2, ) = 0",
	)
	recv := only(r.calls, "recv")[0]
	if recv.End != 0 || recv.Abandoned <= recv.Start || !strings.HasPrefix(recv.Note, "did not return") {
		t.Errorf("recv = %+v, want no end, when it was abandoned, and the reason", recv)
	}
	for _, c := range only(r.calls, "close") {
		if c.Syscall != "execve" || c.TID != c.PID {
			t.Errorf("close by %s of thread %d in process %d, want execve by the thread that became the first", c.Syscall, c.TID, c.PID)
		}
	}
}

// TestKill has a process die by a signal: every socket is closed by it.
func TestKill(t *testing.T) {
	r := recordProgram(t, "kill")
	expect(t, r,
		"send(1, 3 bytes) = 3",
		"kill(0, SIGKILL) = 0",
		"kill(1, SIGKILL) = 0",
		"kill(2, SIGKILL) = 0",
	)
	if r.result.Signal != "SIGKILL" || r.result.ExitStatus != 128+9 {
		t.Errorf("result = %+v, want SIGKILL", r.result)
	}
}

// TestInterrupted interrupts a close that lingers, which returns 0 as if its time were over.
func TestInterrupted(t *testing.T) {
	c := only(recordProgram(t, "interrupted").calls, "close")[0]
	if c.Signal != "SIGURG" || c.Ret != 0 || c.End.Sub(c.Start) > 10*time.Second {
		t.Errorf("close = %+v, want 0 and the signal, before its time", c)
	}
}

// TestCutOff kills a process inside a close that lingers.
func TestCutOff(t *testing.T) {
	c := only(recordProgram(t, "cut-off").calls, "close")[0]
	if c.Signal != "SIGKILL" || c.End != 0 || c.Abandoned <= c.Start || c.Note != "did not return: SIGKILL ended its thread" {
		t.Errorf("close = %+v, want no end, and what ended it", c)
	}
}

// TestCloseInside closes under a thread that is inside recv: the socket lives until it returns.
func TestCloseInside(t *testing.T) {
	r := recordProgram(t, "close-inside")
	// Which of two threads' calls is over first is not settled.
	slices.SortStableFunc(r.calls, func(a, b *event.Call) int { return cmp.Compare(a.Start, b.Start) })
	expect(t, r,
		"recv(1, 16 bytes) = 4",
		"close(1, ) = 0",
		"send(2, 4 bytes) = 4",
		"exit(0, 0) = 0",
		"exit(2, 0) = 0",
	)
	closing, recv := only(r.calls, "close")[0], only(r.calls, "recv")[0]
	if want := fmt.Sprintf("still open: thread %d is inside read on it", recv.TID); closing.Note != want {
		t.Errorf("note = %q, want %q", closing.Note, want)
	}
	if recv.Socket != closing.Socket || recv.TID == closing.TID {
		t.Errorf("recv = socket %x of thread %d, close = socket %x of thread %d",
			recv.Socket, recv.TID, closing.Socket, closing.TID)
	}
}

// TestDaemon traces on when the program has ended but a process of another session has not.
func TestDaemon(t *testing.T) {
	r := recordProgram(t, "daemon")
	connect := only(r.calls, "connect")[0]
	ended := slices.ContainsFunc(only(r.calls, "exit"), func(c *event.Call) bool {
		return c.PID != connect.PID && c.FD == 3 && c.Socket == connect.Socket
	})
	if !ended {
		t.Errorf("exits = %q, want the daemon's with fd 3", story(only(r.calls, "exit")))
	}
	if r.result.ExitStatus != 3 {
		t.Errorf("exit status = %d, want the program's own 3", r.result.ExitStatus)
	}
}

// TestThreads has 200 threads close what they talked over.
func TestThreads(t *testing.T) {
	r := recordProgram(t, "threads")
	for name, want := range map[string]int{
		"socket": 200, "bind": 100, "listen": 100, "connect": 100, "accept": 100,
		"send": 2000, "recv": 2000, "close": 300, "exit": 0,
	} {
		if got := len(only(r.calls, name)); got != want {
			t.Errorf("%d calls of %s, want %d", got, name, want)
		}
	}
	if len(r.result.Warnings) > 0 {
		t.Errorf("warnings: %q", r.result.Warnings)
	}
}
