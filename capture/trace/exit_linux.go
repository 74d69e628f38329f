//go:build amd64 || arm64

package trace

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// leaving is the end of a descriptor table: all its threads have begun to exit. The kernel closes
// the descriptors when the last of them is through, which need not be the one that stopped last.
type leaving struct {
	start   event.Time
	victims []victim
}

// exiting answers the stop of a thread that is about to end (PTRACE_EVENT_EXIT): its
// descriptors are still open.
func (t *tracer) exiting(th *thread) {
	if t.leaves(th) {
		all := func(int) bool { return true }
		open := oneEach(t.openSockets(th, all))
		start := now()
		th.files.leaving = &leaving{start: start, victims: append(open, t.stillRinged(th.files)...)}
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
	name, args, signal := "exit", fmt.Sprint(ws.ExitStatus()), ""
	by := "exit " + args
	if ws.Signaled() {
		signal = unix.SignalName(ws.Signal())
		name, args, by = "kill", signal, signal
	}
	t.abandon(th, "did not return: "+by+" ended its thread", signal, at)
	f := th.files
	if t.leaves(th) { // SIGKILL can end a thread without an exit stop
		f.leaving = &leaving{start: th.lastStop, victims: append(oneEach(f.sockets()), t.stillRinged(f)...)}
	}
	if f.alive--; f.alive > 0 || f.leaving == nil {
		return
	}
	f.forgetAll()
	for _, v := range f.leaving.victims {
		e := event.Call{
			Actor: th.proc.actor, PID: th.proc.pid, TID: th.tid, FD: v.fd,
			Name: name, Args: args, Start: f.leaving.start, End: at, RecvQ: v.unread,
		}
		v.sock.mark(&e)
		v.letGo(&e)
		t.aftermath(f, v.sock, &e)
		v.sock.ringed = false
		t.deliver(v.sock, e)
		t.dismiss(v.sock)
	}
}

// sockets returns the descriptors that are known, without what lies unread in them.
func (f *files) sockets() []victim {
	var list []victim
	for fd, s := range f.known {
		if s != nil {
			list = append(list, victim{fd, s, -1})
		}
	}
	slices.SortFunc(list, func(a, b victim) int { return cmp.Compare(a.fd, b.fd) })
	return list
}

// abandon delivers the call in flight of a thread that ended within it. It has no End.
func (t *tracer) abandon(th *thread, note, signal string, at event.Time) {
	c := th.call
	t.finish(th)
	if c == nil || c.sock == nil {
		return
	}
	if c.sock.told.State == Connecting {
		t.announce(c.sock)
	}
	e := t.describe(th, c)
	e.Ret, e.Note, e.Abandoned, e.Signal = -1, join(e.Note, note), at, signal
	if c.row.family == "send" || c.row.family == "recv" {
		c.row.leave(t, th, c, e)
		return
	}
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
