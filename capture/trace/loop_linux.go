//go:build amd64 || arm64

package trace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// tracer is one run. All of it belongs to the tracing thread but procs, which mu guards.
type tracer struct {
	opts    Options
	ctx     context.Context
	root    int
	threads map[int]*thread
	early   map[int]unix.WaitStatus // of children that reported before their parent's fork event
	sockets map[uint64]*socket      // by id
	actors  map[string]*process
	closers []*thread // inside a call that closes TCP sockets
	warned  map[string]bool
	result  Result
	started bool // the launcher has become the program
	failed  error
	path    [40]byte // scratch for /proc paths

	mu    sync.Mutex
	procs map[int]*process
}

func run(ctx context.Context, opts Options) (Result, error) {
	if len(opts.Args) == 0 {
		return Result{}, errors.New("start program: no arguments")
	}
	path, err := exec.LookPath(opts.Args[0])
	if err != nil {
		return Result{}, fmt.Errorf("start program: %w", &StartError{err})
	}
	if err := canLook(); err != nil {
		return Result{}, err
	}
	t := &tracer{
		opts: opts, ctx: ctx,
		threads: map[int]*thread{}, early: map[int]unix.WaitStatus{}, sockets: map[uint64]*socket{},
		actors: map[string]*process{}, warned: map[string]bool{}, procs: map[int]*process{},
	}
	defer quietStops()()
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and with it every tracee it may
		// have left behind.
		runtime.LockOSThread()
		done <- t.trace(path)
	}()
	stop := t.stopWith(ctx)
	err = <-done
	stop()
	if err == nil {
		err = ctx.Err()
	}
	return t.result, err
}

// trace starts the program and follows it to its end.
func (t *tracer) trace(path string) error {
	pid, err := start(t.opts, path)
	if err != nil {
		return fmt.Errorf("start %s: %w", t.opts.Args[0], err)
	}
	t.root = pid
	if err := t.seize(pid); err != nil {
		err = forbidden(pid, err)
		unix.Kill(pid, unix.SIGKILL)
		unix.Wait4(pid, nil, 0, nil)
		return err
	}
	for len(t.threads) > 0 {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ECHILD:
			return t.failed
		case err != nil:
			return fmt.Errorf("wait for program: %w", err)
		}
		at := now()
		t.handle(tid, ws, at)
		t.takeFoundlings(at)
	}
	return t.failed
}

func now() event.Time { return event.Time(time.Now().UnixNano()) }

// seize attaches to every thread of the stopped launcher and lets it go on.
func (t *tracer) seize(pid int) error {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return fmt.Errorf("seize launcher: %w", err)
	}
	p := t.newProcess(pid)
	f := newFiles(p)
	for _, e := range entries {
		tid := number(e.Name())
		if err := ptrace(unix.PTRACE_SEIZE, tid, traceOptions); err != nil {
			return err
		}
		t.register(tid, p, f)
	}
	return unix.Kill(pid, unix.SIGCONT)
}

// handle answers one wait status. Every stopped tracee is resumed before it returns.
func (t *tracer) handle(tid int, ws unix.WaitStatus, at event.Time) {
	th := t.threads[tid]
	if th == nil {
		t.early[tid] = ws
		if ws.Stopped() && int(ws)>>16 == unix.PTRACE_EVENT_EXIT {
			// Its parent was killed before it could report the clone.
			_ = ptrace(unix.PTRACE_CONT, tid, 0)
		}
		return
	}
	if ws.Exited() || ws.Signaled() {
		t.died(th, ws, at)
		return
	}
	th.lastStop = at
	sig := ws.StopSignal()
	switch cause := int(ws) >> 16; {
	case sig == syscallStop:
		t.atExit(th, at)
		t.resume(th, unix.PTRACE_CONT, 0)
	case cause == unix.PTRACE_EVENT_SECCOMP:
		t.resume(th, t.atEntry(th), 0)
	case cause == unix.PTRACE_EVENT_STOP:
		t.resume(th, afterStop(sig), 0)
	case cause != 0:
		t.event(th, cause, at)
		t.resume(th, unix.PTRACE_CONT, 0)
	default: // a signal on its way to the program
		t.resume(th, unix.PTRACE_CONT, uintptr(sig))
	}
}

// resume lets a tracee go on. One that was killed meanwhile is gone (ESRCH), or has moved on to its
// exit stop, in which it can't listen (EIO); its end is still to be reported.
func (t *tracer) resume(th *thread, request int, sig uintptr) {
	if request == unix.PTRACE_CONT && th.call != nil {
		request = unix.PTRACE_SYSCALL // a signal or stop within the call: its exit is still awaited
	}
	err := ptrace(request, th.tid, sig)
	killed := err == unix.ESRCH || err == unix.EIO && request == unix.PTRACE_LISTEN
	if err != nil && !killed && t.failed == nil {
		t.failed = fmt.Errorf("resume thread %d: %w", th.tid, err)
	}
}

// afterStop tells a job-control stop, in which the tracee must stay until SIGCONT, from the
// first stop of a new one.
func afterStop(sig unix.Signal) int {
	switch sig {
	case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		return unix.PTRACE_LISTEN
	}
	return unix.PTRACE_CONT
}

// event answers a ptrace event stop.
func (t *tracer) event(th *thread, cause int, at event.Time) {
	msg, err := eventMessage(th.tid)
	if err != nil {
		return // it was killed: its death is still to be reported, a child becomes a foundling
	}
	switch cause {
	case unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK, unix.PTRACE_EVENT_CLONE:
		tid := int(msg)
		if t.threads[tid] == nil {
			t.adopt(tid, th)
		}
		th.cloning, th.cloneFlags = false, 0
		if ws, ok := t.early[tid]; ok {
			delete(t.early, tid)
			t.handle(tid, ws, at)
		}
	case unix.PTRACE_EVENT_EXEC:
		t.execed(th, int(msg), at)
	case unix.PTRACE_EVENT_EXIT:
		t.exiting(th)
	}
}

// died answers the end of a thread.
func (t *tracer) died(th *thread, ws unix.WaitStatus, at event.Time) {
	t.left(th, ws, at)
	delete(t.threads, th.tid)
	th.proc.threads--
	if th.tid == t.root {
		t.ended(ws)
		if t.opts.OnEnd != nil {
			t.opts.OnEnd()
		}
	}
	if th.proc.threads == 0 {
		t.endProcess(th.proc)
	}
}

// ended notes how the program itself ended.
func (t *tracer) ended(ws unix.WaitStatus) {
	switch {
	case !t.started:
		t.failed = fmt.Errorf("start %s: %w", t.opts.Args[0], launchError(ws))
	case ws.Signaled():
		t.result.ExitStatus = 128 + int(ws.Signal())
		t.result.Signal = unix.SignalName(ws.Signal())
	default:
		t.result.ExitStatus = ws.ExitStatus()
	}
}

// warn adds a warning once.
func (t *tracer) warn(format string, args ...any) {
	w := fmt.Sprintf(format, args...)
	if !t.warned[w] {
		t.warned[w] = true
		t.result.Warnings = append(t.result.Warnings, w)
	}
}
