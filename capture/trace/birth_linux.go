//go:build amd64 || arm64

package trace

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// adopt registers a new tracee: a thread of its parent's process, or a process of its own.
func (t *tracer) adopt(tid int, parent *thread) {
	if t.sameGroup(tid, parent) {
		t.register(tid, parent.proc, parent.files)
		return
	}
	p := t.newProcess(tid)
	if parent.cloneFlags&unix.CLONE_FILES != 0 {
		t.register(tid, p, parent.files)
		return
	}
	child := parent.files.fork(p)
	t.register(tid, p, child)
	if parent.files.alive > 1 {
		t.verify(tid, child)
	}
}

// verify forgets the sockets that are not where they are thought to be: other threads of the parent
// may have closed and opened some between the fork and the parent's stop that reported it.
func (t *tracer) verify(tid int, f *files) {
	for _, v := range f.sockets() {
		if inode, ok := t.inode(tid, v.fd); !ok || inode != v.sock.inode {
			f.forget(v.fd)
		}
	}
}

func (t *tracer) register(tid int, p *process, f *files) {
	t.threads[tid] = &thread{tid: tid, proc: p, files: f}
	p.threads++
	f.users++
	f.alive++
}

// sameGroup reports whether tid is a new thread of its parent's process. The launcher's clones are
// not stopped at their entry, so their flags are not known.
func (t *tracer) sameGroup(tid int, parent *thread) bool {
	if t.started {
		return parent.cloneFlags&unix.CLONE_THREAD != 0
	}
	return groupOf(tid) == parent.proc.pid
}

// takeFoundlings adopts the children that no parent will report: one that is killed inside
// clone does not. They stand at their first stop, and nobody else would let them go on.
func (t *tracer) takeFoundlings(at event.Time) {
	if len(t.early) == 0 || !t.started || t.cloning() {
		return
	}
	early := t.early
	t.early = map[int]unix.WaitStatus{}
	for tid, ws := range early {
		if ws.Stopped() {
			t.adoptFoundling(tid)
			t.handle(tid, ws, at)
		}
	}
}

// cloning reports whether a thread may yet report a child.
func (t *tracer) cloning() bool {
	for _, th := range t.threads {
		if th.cloning && !th.gone {
			return true
		}
	}
	return false
}

// adoptFoundling registers a tracee whose parent is not known, and so not its flags either: a
// process of its own starts with no known descriptor.
func (t *tracer) adoptFoundling(tid int) {
	pid := groupOf(tid)
	for _, th := range t.threads {
		if th.proc.pid == pid {
			t.register(tid, th.proc, th.files)
			return
		}
	}
	p := t.newProcess(pid)
	t.register(tid, p, newFiles(p))
}

// groupOf returns the pid of a thread's process; its tid where that has ended.
func groupOf(tid int) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	_, rest, _ := strings.Cut(string(status), "\nTgid:\t")
	line, _, _ := strings.Cut(rest, "\n")
	if pid := number(line); pid > 0 {
		return pid
	}
	return tid
}
