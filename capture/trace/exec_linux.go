//go:build amd64 || arm64

package trace

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// enterExec notes which sockets the exec will close (FD_CLOEXEC).
func enterExec(t *tracer, th *thread, c *call) bool {
	for _, v := range th.files.sockets() {
		inode, ok := t.inode(th.tid, v.fd)
		if ok && inode == v.sock.inode && closeOnExec(th.tid, v.fd) {
			c.victims = append(c.victims, t.victim(th, v.fd, v.sock))
		}
	}
	return true
}

// closeOnExec reads the flag from the descriptor's fdinfo (proc_pid_fdinfo(5)).
func closeOnExec(tid, fd int) bool {
	f, err := os.Open(fmt.Sprintf("/proc/%d/fdinfo/%d", tid, fd))
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if octal, ok := strings.CutPrefix(lines.Text(), "flags:"); ok {
			flags, _ := strconv.ParseUint(strings.TrimSpace(octal), 8, 64)
			return flags&unix.O_CLOEXEC != 0
		}
	}
	return false
}

// leaveNothing completes an exec that failed.
func leaveNothing(*tracer, *thread, *call, event.Call) {}

// execed answers the stop after a successful exec. The thread that made it, formerly with a tid
// of its own, is now the process's only one, under the process's pid.
func (t *tracer) execed(th *thread, former int, at event.Time) {
	if other := t.threads[former]; former != th.tid && other != nil {
		t.abandon(th, "did not return: another thread made an exec", "", at)
		t.leaves(th)
		th.files.alive--
		th.proc.threads--
		delete(t.threads, former)
		other.tid = th.tid
		t.threads[th.tid] = other
		th = other
	}
	c := th.call
	t.finish(th)
	if !t.started {
		t.started = true
		t.name(th.proc)
		t.warnUnprivileged(th.proc)
		t.openSockets(th, func(int) bool { return true }) // what it inherits may be in use at once
		return
	}
	t.unshareFiles(th)
	for fd, s := range th.files.known {
		if s == nil {
			delete(th.files.known, fd)
		}
	}
	if c != nil && c.victims != nil {
		// Until the exec ended them, other threads may have closed some themselves.
		still := slices.DeleteFunc(c.victims, func(v victim) bool { return th.files.known[v.fd] != v.sock })
		e := t.describe(th, c)
		e.End, e.Note = at, "close-on-exec"
		t.closed(th, still, e)
	}
	t.name(th.proc)
	t.warnUnprivileged(th.proc)
}

// unshareFiles gives the thread a descriptor table of its own.
func (t *tracer) unshareFiles(th *thread) {
	if th.files.users > 1 {
		th.files.users--
		th.files.alive--
		th.files = th.files.fork(th.proc)
		th.files.users, th.files.alive = 1, 1
	}
	th.files.owner = th.proc
}

func enterClone(_ *tracer, th *thread, c *call) bool {
	th.cloning, th.cloneFlags = true, c.args[0]
	return false
}

// enterClone3 reads the flags, the first member of struct clone_args (clone(2)).
func enterClone3(_ *tracer, th *thread, c *call) bool {
	th.cloning, th.cloneFlags = true, uint64(th.word32(c.args[0]))
	return false
}

func enterUnshare(t *tracer, th *thread, c *call) bool {
	if c.args[0]&unix.CLONE_FILES != 0 {
		t.unshareFiles(th)
	}
	return false
}

// enterRing reports what cannot be seen: calls that go through io_uring make no system call.
func enterRing(t *tracer, th *thread, _ *call) bool {
	th.files.blind = true
	if t.opts.OnSocket != nil {
		t.opts.OnSocket(Socket{State: Unseen})
	}
	t.warn("%s uses io_uring: the calls that it makes through it are not shown", th.proc.actor)
	return false
}
