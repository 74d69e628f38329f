//go:build linux && (amd64 || arm64)

package trace_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/trace"
)

// TestRunExit passes the program's exit status on.
func TestRunExit(t *testing.T) {
	if r := recordProgram(t, "exit-7"); r.result.ExitStatus != 7 || r.result.Signal != "" {
		t.Errorf("result = %+v, want status 7", r.result)
	}
}

// TestRunStreams gives the program its own standard streams, directory and environment.
func TestRunStreams(t *testing.T) {
	dir := t.TempDir()
	read, write := pipe(t)
	in, feed := pipe(t)
	fmt.Fprint(feed, "typed")
	feed.Close()
	r := record(t, trace.Options{
		Args: []string{"sh", "-c", "cat; pwd; echo $TRACED >&2"}, Dir: dir, Env: []string{"TRACED=yes", "PATH=" + os.Getenv("PATH")},
		Stdin: in, Stdout: write, Stderr: write,
	})
	write.Close()
	got, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	if want := "typed" + dir + "\nyes\n"; string(got) != want || r.result.ExitStatus != 0 {
		t.Errorf("output = %q, status %d, want %q, 0", got, r.result.ExitStatus, want)
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// TestRunMissing explains what could not be started.
func TestRunMissing(t *testing.T) {
	script, text := filepath.Join(t.TempDir(), "script"), filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		program string
		want    error
	}{
		{"no-such-program-anywhere", exec.ErrNotFound},
		{text, os.ErrPermission},
		{script, os.ErrNotExist},
	} {
		_, err := trace.Run(t.Context(), trace.Options{Args: []string{test.program}})
		if !errors.Is(err, test.want) {
			t.Errorf("Run(%s) = %v, want %v", test.program, err, test.want)
		}
	}
}

// TestRunCancel ends a program that would wait for ever.
func TestRunCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	opts := programOptions("sleep", trace.Options{OnCall: func(c event.Call) {
		if c.Name == "accept" {
			cancel()
		}
	}})
	result, err := trace.Run(ctx, opts)
	if !errors.Is(err, context.Canceled) {
		skipUnable(t, err)
		t.Fatalf("Run = %v, want %v", err, context.Canceled)
	}
	if result.Signal != "SIGTERM" {
		t.Errorf("result = %+v, want the end by SIGTERM", result)
	}
}

// TestRunStopped leaves a stopped program stopped until it is continued: its child waits for the
// one and then does the other.
func TestRunStopped(t *testing.T) {
	read, write := pipe(t)
	r := record(t, trace.Options{Stdout: write, Args: []string{"sh", "-c", `
		(kill -STOP $$; until grep -q 'State:.[Tt]' /proc/$$/status; do :; done; echo stopped; kill -CONT $$) &
		wait; echo continued`}})
	write.Close()
	got, err := io.ReadAll(read)
	if want := "stopped\ncontinued\n"; err != nil || string(got) != want || r.result.ExitStatus != 0 {
		t.Errorf("output = %q, %v, %+v, want %q", got, err, r.result, want)
	}
}

// TestRunParentKilled kills processes that do nothing but fork. What one of them was just making
// lives on, and cat, which waits for all of them, comes to its end.
func TestRunParentKilled(t *testing.T) {
	r := record(t, trace.Options{Args: []string{"sh", "-c", `
		i=0
		while [ $i -lt 60 ]; do
			sh -c 'while :; do (:); done' &
			j=0
			while [ $j -lt $((3000 + i * 100)) ]; do j=$((j + 1)); done
			kill -9 $!
			i=$((i + 1))
		done | cat`}})
	if r.result.ExitStatus != 0 {
		t.Errorf("result = %+v, want status 0", r.result)
	}
}

// TestRunUnprivileged traces sockets without any capability, as an ordinary user would.
func TestRunUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the other tests already run unprivileged")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestCloseUnread$|^TestShare$|^TestThreads$", "-test.v")
	cmd.Env = append(os.Environ(), "CLOSECAP_NO_SKIP=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS") != 3 {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

// TestRunTraced explains that a program which is traced already cannot be traced again.
func TestRunTraced(t *testing.T) {
	read, write := pipe(t)
	r := record(t, programOptions("tracer", trace.Options{Stdout: write, Stderr: write}))
	write.Close()
	got, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(got), "one tracer only") || !strings.Contains(string(got), "not permitted") || r.result.ExitStatus != 1 {
		t.Errorf("the inner tracer says %q, status %d, want why it may not", got, r.result.ExitStatus)
	}
}

// TestRunTracerDies leaves nothing behind when the tracer is killed.
func TestRunTracerDies(t *testing.T) {
	tracer := exec.Command("/proc/self/exe")
	tracer.Env = append(os.Environ(), programEnv+"=tracer")
	out, err := tracer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, err2 := fmt.Sscan(line, &pid); err != nil || err2 != nil {
		t.Fatalf("the tracer says %q: %v, %v", line, err, err2)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := tracer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	tracer.Wait()
	dead := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(dead, int(time.Minute.Milliseconds()))
	for err == unix.EINTR {
		n, err = unix.Poll(dead, int(time.Minute.Milliseconds()))
	}
	if n != 1 || err != nil {
		t.Errorf("poll of the traced program = %d, %v, want it to be dead", n, err)
	}
}
