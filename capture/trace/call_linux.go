//go:build amd64 || arm64

package trace

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// call is one traced call in flight.
type call struct {
	row     row
	args    [6]uint64
	start   event.Time
	fd      int            // -1 where the call has none
	sock    *socket        // nil where the call makes or finds one
	peer    netip.AddrPort // of connect, and of a send that connects
	unread  int            // of shutdown: bytes before the call
	victims []victim
	note    string
}

// row says how one system call is traced.
type row struct {
	name   string // as the kernel has it
	family string // as event.Call has it
	// enter looks at the call before the kernel does it and reports whether its result matters.
	enter func(*tracer, *thread, *call) bool
	// leave completes the finished call and delivers it.
	leave func(*tracer, *thread, *call, event.Call)
}

// atEntry answers a seccomp stop and returns how to resume: to the call's exit, or on.
func (t *tracer) atEntry(th *thread) int {
	th.cloning = false // if it still was, the clone has failed
	if !t.started || th.info.get(th.tid) != nil {
		return unix.PTRACE_CONT
	}
	if th.info.stopKind() == stopForeign {
		t.warn("%s makes 32-bit system calls: its socket calls are not shown", th.proc.actor)
		return unix.PTRACE_CONT
	}
	r, ok := rows[th.info.nr()]
	if !ok {
		return unix.PTRACE_CONT
	}
	c := &call{row: r, args: th.info.args(), fd: -1}
	if !r.enter(t, th, c) {
		return unix.PTRACE_CONT
	}
	th.call = c
	if c.victims != nil {
		t.closers = append(t.closers, th)
	}
	c.start = now() // the last thing before the kernel may begin
	return unix.PTRACE_SYSCALL
}

// atExit answers the stop at the end of a call.
func (t *tracer) atExit(th *thread, at event.Time) {
	c := th.call
	if c == nil || th.info.get(th.tid) != nil {
		return
	}
	t.finish(th)
	e := t.describe(th, c)
	e.End = at
	e.Ret = th.info.result()
	if e.Ret < 0 {
		e.Errno = errnoName(-e.Ret)
		e.Ret = -1
	}
	if e.Errno == "ERESTARTSYS" {
		e.Note = join(e.Note, "interrupted by a signal: the kernel repeats it, or the program sees EINTR")
	}
	if c.row.family == "close" {
		e.Signal = waitingSignal(th.tid)
	}
	c.row.leave(t, th, c, e)
}

// finish takes the call out of flight.
func (t *tracer) finish(th *thread) {
	if th.call != nil && th.call.victims != nil {
		t.closers = slices.DeleteFunc(t.closers, func(o *thread) bool { return o == th })
	}
	th.call = nil
}

// describe fills in what all calls have in common.
func (t *tracer) describe(th *thread, c *call) event.Call {
	e := event.Call{
		Actor: th.proc.actor, PID: th.proc.pid, TID: th.tid, FD: c.fd,
		Name: c.row.family, Start: c.start, RecvQ: -1, Note: c.note,
	}
	if c.row.name != c.row.family {
		e.Syscall = c.row.name
	}
	c.sock.mark(&e)
	return e
}

// mark says which socket the call is about.
func (s *socket) mark(e *event.Call) {
	if s != nil {
		e.Socket, e.Local, e.Remote = s.id, s.local, s.remote
	}
}

// deliver hands the call to the caller, unless it is noise.
func (t *tracer) deliver(s *socket, e event.Call) {
	if !t.opts.AllCalls && s != nil && e.Errno == "EAGAIN" {
		if s.again == nil {
			s.again = map[string]int{}
		}
		s.again[e.Name]++
		t.result.Folded++
		return
	}
	if s != nil && s.again[e.Name] > 0 {
		e.Note = join(e.Note, fmt.Sprintf("after %d × EAGAIN", s.again[e.Name]))
		delete(s.again, e.Name)
	}
	t.result.Calls++
	if t.opts.OnCall != nil {
		t.opts.OnCall(e)
	}
}

// fold drops a call that is noise.
func (t *tracer) fold() { t.result.Folded++ }

// join puts two notes into one.
func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// ErrnoName returns the name of an error number as the kernel returns it, as strace does.
func ErrnoName(n int64) string { return errnoName(n) }

// errnoName returns the errno's name. ERESTARTSYS and its like are how the kernel says that a
// signal interrupted the call; the program sees EINTR, or the call made again.
func errnoName(n int64) string {
	switch n {
	case 512, 513, 514, 516: // ERESTARTSYS, NOINTR, NOHAND, RESTARTBLOCK (linux/errno.h)
		return "ERESTARTSYS"
	}
	if name := unix.ErrnoName(unix.Errno(n)); name != "" {
		return name
	}
	return fmt.Sprintf("errno %d", n)
}
