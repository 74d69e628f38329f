//go:build amd64 || arm64

package trace

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// process is a thread group.
type process struct {
	pid     int
	actor   string // "python3[4711]"
	pidfd   int    // -1 where the kernel refused it
	threads int    // alive, as far as the tracer has seen
}

// thread is one tracee.
type thread struct {
	tid   int
	proc  *process
	files *files

	call       *call       // in flight: from its entry stop to its exit stop
	cloning    bool        // has entered a call that makes a child, which it has not reported
	cloneFlags uint64      // of that call
	gone       bool        // has passed its exit stop: counts no longer as a user of files
	lastStop   event.Time  // when the tracer last saw it stop
	info       syscallInfo // of the latest stop
}

// files is a descriptor table (the kernel's files_struct), shared by CLONE_FILES. It knows the
// descriptors that calls were made on, no others.
type files struct {
	owner *process // one of the processes that use it, for people
	users int      // threads that have not passed their exit stop
	alive int      // threads that have not ended

	leaving *leaving // set when users has become 0
	known   map[int]*socket
	tcp     int  // how many of known are TCP sockets
	blind   bool // io_uring may change it unseen: nothing known stays known

	ringed      []victim // sockets that only its process's io_uring may hold
	stillRinged int      // of them, when they were looked at last

	epolls map[int]map[uint64]watch // of each epoll descriptor, by the data that it reports
}

// watch is what the program registered for epoll: the socket, whatever its number stands for later.
type watch struct {
	fd     int
	sock   *socket
	events uint32 // that it asked for
}

// watchAt is where a watch stands.
type watchAt struct {
	files *files
	epfd  int
	data  uint64
}

// watch remembers that epfd reports w by data.
func (f *files) watch(epfd int, data uint64, w watch) {
	if f.epolls == nil {
		f.epolls = map[int]map[uint64]watch{}
	}
	of := f.epolls[epfd]
	if of == nil {
		of = map[uint64]watch{}
		f.epolls[epfd] = of
	}
	if of[data].sock != w.sock {
		w.sock.watches = append(w.sock.watches, watchAt{f, epfd, data})
	}
	of[data] = w
}

// unwatch forgets every watch of s.
func (s *socket) unwatch() {
	for _, w := range s.watches {
		if of := w.files.epolls[w.epfd]; of[w.data].sock == s {
			delete(of, w.data)
		}
	}
	s.watches = nil
}

func newFiles(owner *process) *files { return &files{owner: owner, known: map[int]*socket{}} }

// since returns when fd became the TCP socket that it is known to be, 0 when none is known.
func (f *files) since(fd int) event.Time {
	if s := f.known[fd]; s != nil {
		return s.held[descriptor{f, fd}]
	}
	return 0
}

// set says that fd is s; nil means that it is no TCP socket.
func (f *files) set(fd int, s *socket) {
	f.forget(fd)
	if s == nil {
		if !f.blind {
			f.known[fd] = nil
		}
		return
	}
	f.known[fd] = s
	f.tcp++
	s.held[descriptor{f, fd}] = now()
}

// forget drops what is known of fd.
func (f *files) forget(fd int) {
	if s := f.known[fd]; s != nil {
		f.tcp--
		delete(s.held, descriptor{f, fd})
	}
	delete(f.known, fd)
	delete(f.epolls, fd)
}

// forgetAll drops everything, sockets included.
func (f *files) forgetAll() {
	for fd := range f.known {
		f.forget(fd)
	}
}

// fork returns a copy for a child process. What is no TCP socket is left out: to find that out
// again costs less than to copy it for every child.
func (f *files) fork(owner *process) *files {
	c := newFiles(owner)
	c.blind = f.blind
	if f.tcp == 0 {
		return c
	}
	for fd, s := range f.known {
		if s != nil {
			c.set(fd, s)
		}
	}
	return c
}

// newProcess registers a thread group.
func (t *tracer) newProcess(pid int) *process {
	p := &process{pid: pid, pidfd: -1}
	if fd, err := unix.PidfdOpen(pid, 0); err == nil {
		p.pidfd = fd
	}
	t.name(p)
	t.result.Processes++
	t.mu.Lock()
	t.procs[pid] = p
	t.mu.Unlock()
	return p
}

// endProcess forgets a thread group that has no thread left.
func (t *tracer) endProcess(p *process) {
	t.mu.Lock()
	if t.procs[p.pid] == p {
		delete(t.procs, p.pid)
	}
	if p.pidfd >= 0 {
		unix.Close(p.pidfd)
		p.pidfd = -1
	}
	t.mu.Unlock()
}

// name gives the process its actor name after its program. A pid that the kernel has used
// before under the same name gets a number, so that an actor is one process.
func (t *tracer) name(p *process) {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.pid))
	if err != nil {
		comm = []byte("?")
	}
	base := fmt.Sprintf("%s[%d]", strings.TrimSpace(string(comm)), p.pid)
	p.actor = base
	for n := 2; t.actors[p.actor] != nil && t.actors[p.actor] != p; n++ {
		p.actor = fmt.Sprintf("%s#%d", base, n)
	}
	t.actors[p.actor] = p
}

// actorOf names any process; one that is not traced by its program and pid.
func (t *tracer) actorOf(pid int) string {
	if p := t.procs[pid]; p != nil {
		return p.actor
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s[%d]", strings.TrimSpace(string(comm)), pid)
}
