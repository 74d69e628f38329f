//go:build amd64 || arm64

package trace

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/kernel"
)

// victim is a descriptor that a call closes.
type victim struct {
	fd     int
	sock   *socket
	unread int // bytes, before the call; -1 means not known
}

func (t *tracer) victim(th *thread, fd int, s *socket) victim {
	return victim{fd, s, t.unread(th, fd, s)}
}

func enterShutdown(t *tracer, th *thread, c *call) bool {
	if !enterFD(t, th, c) {
		return false
	}
	c.unread = t.unread(th, c.fd, c.sock)
	return true
}

func leaveShutdown(t *tracer, _ *thread, c *call, e event.Call) {
	how := []string{"SHUT_RD", "SHUT_WR", "SHUT_RDWR"}
	e.Args = fmt.Sprintf("%d", int32(c.args[1]))
	if n := uint32(c.args[1]); n < uint32(len(how)) {
		e.Args = how[n]
	}
	e.RecvQ = c.unread
	e.Samples = t.samples(c.sock)
	t.deliver(c.sock, e)
}

func enterClose(t *tracer, th *thread, c *call) bool {
	if !enterFD(t, th, c) {
		th.files.forget(c.fd)
		return false
	}
	c.victims = []victim{t.victim(th, c.fd, c.sock)}
	return true
}

// enterCloseRange looks at every descriptor of the range, so that all sockets in it are known.
func enterCloseRange(t *tracer, th *thread, c *call) bool {
	if c.args[2]&unix.CLOSE_RANGE_UNSHARE != 0 {
		t.unshareFiles(th)
	}
	if c.args[2]&unix.CLOSE_RANGE_CLOEXEC != 0 {
		return false
	}
	first, last := uint64(uint32(c.args[0])), uint64(uint32(c.args[1]))
	inRange := func(fd int) bool { return uint64(fd) >= first && uint64(fd) <= last }
	for fd, s := range th.files.known {
		if s == nil && inRange(fd) {
			th.files.forget(fd)
		}
	}
	c.victims = t.openSockets(th, inRange)
	return c.victims != nil
}

// openSockets returns every TCP socket that th has open, by descriptor.
func (t *tracer) openSockets(th *thread, want func(fd int) bool) []victim {
	inodes, err := t.procFDs(th.tid)
	if err != nil {
		return nil
	}
	var open []victim
	for fd, inode := range inodes {
		if !want(fd) {
			continue
		}
		s, known := th.files.known[fd]
		if !known || s != nil && s.inode != inode {
			s = t.look(th, fd)
		}
		if s != nil {
			open = append(open, t.victim(th, fd, s))
		}
	}
	slices.SortFunc(open, func(a, b victim) int { return cmp.Compare(a.fd, b.fd) })
	return open
}

func leaveClose(t *tracer, th *thread, c *call, e event.Call) {
	t.closed(th, c.victims, e)
}

// closed delivers one call for each descriptor that was closed. All are forgotten before the
// first is delivered, so that none is named as another's holder.
func (t *tracer) closed(th *thread, victims []victim, e event.Call) {
	for _, v := range victims {
		if th.files.known[v.fd] == v.sock {
			th.files.forget(v.fd)
		}
	}
	for _, v := range victims {
		e := e
		e.FD, e.RecvQ = v.fd, v.unread
		v.sock.mark(&e)
		if e.Errno != "EBADF" {
			t.aftermath(th.files, v.sock, &e)
		}
		if e.Syscall == "execve" && len(e.Holders) > 0 && !t.opts.AllCalls {
			t.fold() // a child that becomes another program drops what its parent still holds
			continue
		}
		t.deliver(v.sock, e)
		t.dismiss(v.sock)
	}
}

// dismiss forgets a socket that nobody traced holds or uses any more. Should it come back over a
// Unix socket, the kernel tells again what it is.
func (t *tracer) dismiss(s *socket) {
	if len(s.held) > 0 || s.ringed {
		return
	}
	for _, th := range t.threads {
		if th.call != nil && th.call.sock == s {
			return
		}
	}
	t.tell(s, Socket{Cookie: s.id, Local: s.local, Remote: s.remote, State: Closed})
	s.unwatch()
	delete(t.sockets, s.id)
}

// aftermath adds what became of the socket that f no longer holds: the kernel's states, and who still holds it.
func (t *tracer) aftermath(f *files, s *socket, e *event.Call) {
	e.Samples = t.samples(s)
	e.Holders = t.holders(s)
	if len(e.Holders) > 0 || len(e.Samples) == 0 || !owned(e.Samples[0]) || s.multipath {
		return // MPTCP owns its subflows, and closes them when both streams have ended
	}
	for _, th := range t.threads {
		if th.call != nil && th.call.sock == s {
			e.Note = join(e.Note, fmt.Sprintf("still open: thread %d is inside %s on it", th.tid, th.call.row.name))
			return
		}
	}
	e.Holders = t.strangers(s)
	switch {
	case len(e.Holders) > 0:
	case f.blind:
		e.Ring = true
		t.ring(f, s, e.FD)
	default:
		e.Note = join(e.Note, "still open, though no process was found that holds it")
	}
}

// owned reports whether the kernel says that a process still holds the endpoint.
func owned(s event.Sample) bool {
	switch s.State {
	case event.StateUnknown, event.Closed, event.TimeWait, event.NewSynRecv:
		return false
	}
	return !s.Orphan
}

// holders returns the descriptors of traced processes that refer to the socket. What is known of
// them is checked: a descriptor may have been closed unseen.
func (t *tracer) holders(s *socket) []event.Holder {
	var list []event.Holder
	for p := range s.held {
		inode, ok := t.inode(t.userOf(p.files), p.fd)
		if !ok || inode != s.inode {
			p.files.forget(p.fd)
			continue
		}
		list = append(list, event.Holder{PID: p.files.owner.pid, FD: p.fd, Actor: p.files.owner.actor})
	}
	slices.SortFunc(list, func(a, b event.Holder) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.FD, b.FD))
	})
	return list
}

// userOf returns a thread that still uses the table. The process's first thread may have ended.
func (t *tracer) userOf(f *files) int {
	if th := t.threads[f.owner.pid]; th != nil && th.files == f && !th.gone {
		return th.tid
	}
	for _, th := range t.threads {
		if th.files == f && !th.gone {
			return th.tid
		}
	}
	return f.owner.pid
}

// strangers searches all processes for descriptors of the socket. It is slow, and asked only
// when the kernel says that there are some.
func (t *tracer) strangers(s *socket) []event.Holder {
	var list []event.Holder
	if t.opts.Holders != nil {
		list = slices.DeleteFunc(t.opts.Holders(s.cookie), func(h event.Holder) bool { return h.PID == os.Getpid() })
	}
	if len(list) == 0 {
		var err error
		if list, err = kernel.Holders(s.inode); err != nil {
			t.warn("who else holds a socket is not shown: %v", err)
		}
	}
	for i := range list {
		list[i].Actor = t.actorOf(list[i].PID)
	}
	return list
}

// samples asks the kernel for the endpoint's state, and for its peer's where that is on this
// host. Listeners and unconnected sockets have none.
func (t *tracer) samples(s *socket) []event.Sample {
	if t.opts.Sample == nil || !s.remote.IsValid() || !s.local.IsValid() {
		return nil
	}
	ends := [][2]netip.AddrPort{{s.local, s.remote}}
	if s.remote.Addr().IsLoopback() || s.remote.Addr() == s.local.Addr() {
		ends = append(ends, [2]netip.AddrPort{s.remote, s.local})
	}
	var list []event.Sample
	for _, end := range ends {
		sample, err := t.opts.Sample(end[0], end[1])
		if err != nil {
			t.warn("kernel states are not shown: %v", err)
			return list
		}
		list = append(list, sample)
	}
	return list
}
