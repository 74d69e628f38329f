//go:build amd64 || arm64

package trace

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/capture/hint"
)

// grace is how long the program has between SIGTERM and SIGKILL.
const grace = 2 * time.Second

// stopWith ends all tracees when ctx ends. The returned func waits for its goroutine.
func (t *tracer) stopWith(ctx context.Context) (stop func()) {
	done, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		select {
		case <-ctx.Done():
		case <-done:
			return
		}
		t.signalAll(unix.SIGTERM)
		t.signalAll(unix.SIGCONT) // a stopped one could not act on it
		kill := time.NewTicker(grace)
		defer kill.Stop()
		for {
			select {
			case <-kill.C: // again and again: a fork may slip through
				t.signalAll(unix.SIGKILL)
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-finished }
}

// sigaction is the kernel's struct on amd64 and arm64 (rt_sigaction(2)).
type sigaction struct{ handler, flags, restorer, mask uint64 }

const saNoCldStop = 1 // SA_NOCLDSTOP (asm-generic/signal-defs.h)

// quietStops asks the kernel not to send this process a SIGCHLD for each stop: Go's handler would run
// at every one of them, and wait hears of them anyhow. The returned func undoes it.
func quietStops() (undo func()) {
	var old sigaction
	_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGCHLD), 0,
		uintptr(unsafe.Pointer(&old)), unsafe.Sizeof(old.mask), 0, 0)
	if e != 0 || old.flags&saNoCldStop != 0 {
		return func() {}
	}
	quiet := old
	quiet.flags |= saNoCldStop
	setChildAction(&quiet)
	return func() { setChildAction(&old) }
}

func setChildAction(a *sigaction) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGCHLD), uintptr(unsafe.Pointer(a)), 0,
		unsafe.Sizeof(a.mask), 0, 0)
}

// signalAll signals by pidfd: a pid may already be another process's.
func (t *tracer) signalAll(sig unix.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.procs {
		if p.pidfd >= 0 {
			unix.PidfdSendSignal(p.pidfd, sig, nil, 0)
		}
	}
}

// forbidden explains why ptrace of the launcher was refused.
func forbidden(pid int, err error) error {
	err = fmt.Errorf("trace program: ptrace: %w", err)
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, rest, ok := strings.Cut(string(status), "\nTracerPid:\t"); ok && !strings.HasPrefix(rest, "0\n") {
		other, _, _ := strings.Cut(rest, "\n")
		return hint.With(err, "process "+other+" already traces it: a program can have one tracer only")
	}
	scope, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	switch strings.TrimSpace(string(scope)) {
	case "2":
		return hint.With(err, "kernel.yama.ptrace_scope is 2, which lets only root trace, and sudo's caller is not root: sudo env -u SUDO_UID -u SUDO_GID closecap trace ...")
	case "3":
		return hint.With(err, "kernel.yama.ptrace_scope is 3, which forbids tracing until the next boot")
	}
	return hint.With(err, "a container or security module forbids ptrace; Docker: --cap-add SYS_PTRACE")
}
