//go:build linux && (amd64 || arm64)

package trace_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"closecap/analyze/event"
	"closecap/capture/kernel"
	"closecap/capture/trace"
)

// programEnv makes the test binary one of the programs that the tests trace.
const programEnv = "TRACE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	trace.LauncherMain()
	if name := os.Getenv(programEnv); name != "" {
		programs[name]()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// recording is what one traced run gave.
type recording struct {
	calls  []event.Call
	result trace.Result
}

// record traces a program and fails the test when that is not possible here.
func record(t *testing.T, opts trace.Options) recording {
	t.Helper()
	diag, err := kernel.OpenDiag()
	skipUnable(t, err)
	defer diag.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var r recording
	opts.OnCall = func(c event.Call) { r.calls = append(r.calls, c) }
	opts.Sample = diag.Sample
	r.result, err = trace.Run(ctx, opts)
	skipUnable(t, err)
	checkCalls(t, r.calls)
	return r
}

// recordProgram traces one of the programs of this test binary.
func recordProgram(t *testing.T, name string) recording {
	t.Helper()
	return record(t, trace.Options{Args: []string{os.Args[0]}, Env: append(os.Environ(), programEnv+"="+name)})
}

func skipUnable(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	unable := errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported)
	if unable && os.Getenv("CLOSECAP_NO_SKIP") != "1" {
		t.Skip(err)
	}
	t.Fatal(err)
}

// checkCalls asserts what holds for the calls of every run.
func checkCalls(t *testing.T, calls []event.Call) {
	t.Helper()
	var last event.Time
	for i, c := range calls {
		switch {
		case c.Actor == "" || c.PID == 0 || c.TID == 0 || c.Name == "":
			t.Errorf("call %d: %+v lacks who or what", i, c)
		case c.End != 0 && (c.Start == 0 || c.End < c.Start):
			t.Errorf("call %d: %s from %v to %v", i, c.Name, c.Start, c.End)
		case c.End != 0 && c.End < last:
			t.Errorf("call %d: %s ended before the call delivered before it", i, c.Name)
		case (c.Ret == -1) != (c.Errno != "") && c.End != 0:
			t.Errorf("call %d: %s = %d with errno %q", i, c.Name, c.Ret, c.Errno)
		}
		last = max(last, c.End)
	}
}

// story writes calls as "name(fd, args) = result", for comparison. Descriptors count from the
// first one that a call made: Go's runtime takes a few before.
func story(calls []event.Call) []string {
	var lines []string
	for _, c := range calls {
		result := fmt.Sprint(c.Ret)
		switch {
		case c.Errno != "":
			result = c.Errno
		case c.Name == "socket" || c.Name == "accept" || c.Name == "dup":
			result = fmt.Sprintf("fd %d", int(c.Ret)-calls[0].FD)
		}
		lines = append(lines, fmt.Sprintf("%s(%d, %s) = %s", c.Name, c.FD-calls[0].FD, c.Args, result))
	}
	return lines
}

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
