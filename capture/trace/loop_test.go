//go:build linux && (amd64 || arm64)

package trace

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestResumeKilled resumes from a job-control stop a tracee that was killed in it and stands at
// its exit stop: the tracer goes on to wait for that.
func TestResumeKilled(t *testing.T) {
	path, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := syscall.ForkExec(path, []string{"sleep", "60"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	seized := ptrace(unix.PTRACE_SEIZE, pid, traceOptions)
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var ws unix.WaitStatus
	if seized != nil {
		unix.Wait4(pid, &ws, 0, nil)
		if errors.Is(seized, os.ErrPermission) && os.Getenv("CLOSECAP_NO_SKIP") != "1" {
			t.Skip(seized)
		}
		t.Fatal(seized)
	}
	if _, err := unix.Wait4(pid, &ws, unix.WALL, nil); err != nil || int(ws)>>16 != unix.PTRACE_EVENT_EXIT {
		t.Fatalf("wait = %#x, %v, want the exit stop", ws, err)
	}
	tr := &tracer{}
	tr.resume(&thread{tid: pid}, unix.PTRACE_LISTEN, 0)
	if tr.failed != nil {
		t.Errorf("resume failed: %v", tr.failed)
	}
	tr.resume(&thread{tid: pid}, unix.PTRACE_CONT, 0)
	if _, err := unix.Wait4(pid, &ws, unix.WALL, nil); err != nil || ws.Signal() != unix.SIGKILL {
		t.Errorf("wait = %#x, %v, want the end by SIGKILL", ws, err)
	}
}
