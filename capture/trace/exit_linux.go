//go:build amd64 || arm64

package trace

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"closecap/analyze/event"
)

// leaving is the exit of the last thread that uses a descriptor table: the kernel is about to
// close all that is in it.
type leaving struct {
	start   event.Time
	victims []victim
}

// exiting answers the stop of a thread that is about to end (PTRACE_EVENT_EXIT): its
// descriptors are still open.
func (t *tracer) exiting(th *thread, status uint64, at event.Time) {
	th.status = status
	if t.leaves(th) {
		all := func(int) bool { return true }
		th.leaving = &leaving{victims: oneEach(t.openSockets(th, all))}
		th.leaving.start = now()
	}
}

// leaves takes the thread off its table's users and reports whether it was the last.
func (t *tracer) leaves(th *thread) bool {
	if th.gone {
		return false
	}
	th.gone = true
	th.files.users--
	return th.files.users == 0 && t.started
}

// oneEach keeps one descriptor of each socket: exit closes all of them at once.
func oneEach(open []victim) []victim {
	seen := map[*socket]bool{}
	return slices.DeleteFunc(open, func(v victim) bool {
		dup := seen[v.sock]
		seen[v.sock] = true
		return dup
	})
}

// left answers the end of a thread. What it was inside of never returned; what only its table
// held is closed now.
func (t *tracer) left(th *thread, ws unix.WaitStatus, at event.Time) {
	if t.leaves(th) { // SIGKILL can end a thread without an exit stop
		th.leaving = &leaving{start: th.lastStop}
		for fd, s := range th.files.known {
			if s != nil {
				th.leaving.victims = append(th.leaving.victims, victim{fd, s, -1})
			}
		}
		th.leaving.victims = oneEach(th.leaving.victims)
	}
	name, args := "exit", fmt.Sprint(ws.ExitStatus())
	if ws.Signaled() {
		name, args = "kill", unix.SignalName(ws.Signal())
	}
	t.abandon(th, join("did not return", name+" "+args))
	if th.leaving == nil {
		return
	}
	th.files.forgetAll()
	for _, v := range th.leaving.victims {
		e := event.Call{
			Actor: th.proc.actor, PID: th.proc.pid, TID: th.tid, FD: v.fd,
			Name: name, Args: args, Start: th.leaving.start, End: at, RecvQ: v.unread,
		}
		v.sock.mark(&e)
		t.aftermath(v.sock, &e)
		t.deliver(v.sock, e)
	}
	th.leaving = nil
}

// abandon delivers the call in flight of a thread that ended within it. It has no End.
func (t *tracer) abandon(th *thread, note string) {
	c := th.call
	t.finish(th)
	if c == nil || c.sock == nil {
		return
	}
	e := t.describe(th, c)
	e.Ret, e.Note = -1, join(e.Note, note)
	t.deliver(c.sock, e)
}

// dirNames lists a directory, unsorted.
func dirNames(path string) ([]string, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// number reads a decimal number, -1 when s is none.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}
