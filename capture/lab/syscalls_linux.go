package lab

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/capture/lab/script"
)

// syscallOf is one system call on its way: what is asked for, and what comes of it.
type syscallOf struct {
	actor *actor
	op    *script.Op
	reply *reply
}

// syscallTable makes each verb's one system call.
var syscallTable = map[string]func(c *syscallOf){
	"socket": func(c *syscallOf) {
		c.do(unix.SYS_SOCKET, family(c.op.V6), unix.SOCK_STREAM, 0, 0, 0, 0)
	},
	"bind": func(c *syscallOf) {
		sa := rawSockaddr(c.op.Addr)
		c.do(unix.SYS_BIND, c.fd(), uintptr(unsafe.Pointer(&sa[0])), uintptr(len(sa)), 0, 0, 0)
	},
	"listen": func(c *syscallOf) {
		c.do(unix.SYS_LISTEN, c.fd(), uintptr(c.op.Size), 0, 0, 0, 0)
	},
	"connect": func(c *syscallOf) {
		sa := rawSockaddr(c.op.Addr)
		c.do(unix.SYS_CONNECT, c.fd(), uintptr(unsafe.Pointer(&sa[0])), uintptr(len(sa)), 0, 0, 0)
	},
	"accept": func(c *syscallOf) {
		c.do(unix.SYS_ACCEPT4, c.fd(), 0, 0, 0, 0, 0)
	},
	"send":     callSend,
	"recv":     callRecv,
	"shutdown": func(c *syscallOf) { c.do(unix.SYS_SHUTDOWN, c.fd(), shutdownHow[c.op.Words[0]], 0, 0, 0, 0) },
	"close":    func(c *syscallOf) { c.do(unix.SYS_CLOSE, c.fd(), 0, 0, 0, 0, 0) },
	"dup":      func(c *syscallOf) { c.do(unix.SYS_DUP, c.fd(), 0, 0, 0, 0, 0) },
	"setsockopt": func(c *syscallOf) {
		n := optionNumbers[c.op.Option]
		v := optionValue(c.op)
		c.do(unix.SYS_SETSOCKOPT, c.fd(), n[0], n[1], uintptr(unsafe.Pointer(&v[0])), uintptr(len(v)), 0)
	},
	"getsockopt": callGetsockopt,
	"filter":     callFilter,
	"fcntl":      callFcntl,
	"poll":       callPoll,
	"fork":       callFork,
	"exec":       callExec,
	"exit": func(c *syscallOf) {
		c.begin()
		c.do(unix.SYS_EXIT_GROUP, uintptr(c.op.Size), 0, 0, 0, 0, 0)
	},
}

var (
	makesDescriptor = map[string]bool{"socket": true, "accept": true, "dup": true}

	// endsSocket holds the calls for which it matters what lay unread before them.
	endsSocket = map[string]bool{"close": true, "shutdown": true, "connect": true}

	shutdownHow = map[string]uintptr{"RD": unix.SHUT_RD, "WR": unix.SHUT_WR, "RDWR": unix.SHUT_RDWR}

	flagNumbers = map[string]int{
		"MSG_DONTWAIT": unix.MSG_DONTWAIT, "MSG_MORE": unix.MSG_MORE, "MSG_OOB": unix.MSG_OOB,
		"MSG_PEEK": unix.MSG_PEEK, "MSG_TRUNC": unix.MSG_TRUNC, "MSG_WAITALL": unix.MSG_WAITALL,
		"POLLIN": unix.POLLIN, "POLLOUT": unix.POLLOUT, "POLLRDHUP": unix.POLLRDHUP,
		"POLLPRI": unix.POLLPRI, "POLLERR": unix.POLLERR, "POLLHUP": unix.POLLHUP,
	}
)

// shownData is how much of what recv got an actor hands on.
const shownData = 64 << 10

// do makes the system call. The clock is read right around it, nothing else is.
//
//go:uintptrescapes
func (c *syscallOf) do(trap, a1, a2, a3, a4, a5, a6 uintptr) {
	if c.op.Background {
		c.reply.Trap = int(trap)
		c.begin()
	}
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &before)
	start := now()
	ret, _, errno := unix.Syscall6(trap, a1, a2, a3, a4, a5, a6)
	end := now()
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &after)
	r := c.reply
	r.Start, r.End = start, end
	r.Ret, r.Errno = int64(ret), int(errno)
	if errno != 0 {
		r.Ret = -1
	}
	r.Blocked = after.Nvcsw > before.Nvcsw // the thread gave up the processor of its own accord
}

func (c *syscallOf) fd() uintptr { return uintptr(c.op.FD) }

// number returns the flags that the op's words name.
func (c *syscallOf) number() int {
	n := 0
	for _, w := range c.op.Words {
		n |= flagNumbers[w]
	}
	return n
}

func callSend(c *syscallOf) {
	data := c.op.Text
	if len(data) == 0 {
		data = bytes.Repeat([]byte("x"), max(c.op.Size, 1))
	}
	flags := uintptr(c.number() | unix.MSG_NOSIGNAL)
	c.do(unix.SYS_SENDTO, c.fd(), uintptr(unsafe.Pointer(&data[0])), uintptr(c.op.Size), flags, 0, 0)
}

func callRecv(c *syscallOf) {
	buf := make([]byte, max(c.op.Size, 1))
	c.do(unix.SYS_RECVFROM, c.fd(), uintptr(unsafe.Pointer(&buf[0])), uintptr(c.op.Size), uintptr(c.number()), 0, 0)
	if n := c.reply.Ret; n > 0 {
		c.reply.Data = buf[:min(n, shownData, int64(len(buf)))]
	}
}

func callGetsockopt(c *syscallOf) {
	n := optionNumbers[c.op.Option]
	value, size := new(int32), new(uint32)
	*size = 4
	c.do(unix.SYS_GETSOCKOPT, c.fd(), n[0], n[1], uintptr(unsafe.Pointer(value)), uintptr(unsafe.Pointer(size)), 0)
	if c.reply.Errno != 0 {
		return
	}
	c.reply.Text = formatOption(c.op.Option, *value)
}

// callFilter attaches the socket filter that drops the op's kinds of segments, or detaches it.
func callFilter(c *syscallOf) {
	if len(c.op.Words) == 0 {
		zero := new(int32)
		c.do(unix.SYS_SETSOCKOPT, c.fd(), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, uintptr(unsafe.Pointer(zero)), 4, 0)
		return
	}
	code := dropFilter(c.op.Words)
	prog := &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	c.do(unix.SYS_SETSOCKOPT, c.fd(), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		uintptr(unsafe.Pointer(prog)), unsafe.Sizeof(*prog), 0)
}

func callFcntl(c *syscallOf) {
	flags, _ := unix.FcntlInt(c.fd(), unix.F_GETFL, 0)
	switch c.op.Words[0] {
	case "O_NONBLOCK":
		c.do(unix.SYS_FCNTL, c.fd(), unix.F_SETFL, uintptr(flags|unix.O_NONBLOCK), 0, 0, 0)
	case "BLOCK":
		c.do(unix.SYS_FCNTL, c.fd(), unix.F_SETFL, uintptr(flags&^unix.O_NONBLOCK), 0, 0, 0)
	case "FD_CLOEXEC":
		c.do(unix.SYS_FCNTL, c.fd(), unix.F_SETFD, unix.FD_CLOEXEC, 0, 0, 0)
	}
}

func callPoll(c *syscallOf) {
	p := &unix.PollFd{Fd: int32(c.op.FD), Events: int16(c.number())}
	t := unix.NsecToTimespec(int64(max(c.op.Timeout, 0)))
	timeout := &t
	if c.op.Timeout < 0 {
		timeout = nil
	}
	c.do(unix.SYS_PPOLL, uintptr(unsafe.Pointer(p)), 1, uintptr(unsafe.Pointer(timeout)), 0, 0, 0)
	var found []string
	for _, w := range script.PollEvents {
		if p.Revents&int16(flagNumbers[w]) != 0 {
			found = append(found, w)
		}
	}
	c.reply.Text = strings.Join(found, "|")
}

// callFork makes a process that shares this one's sockets under the same numbers. Go cannot
// fork without exec, so the child is this program started anew, given the descriptors.
func callFork(c *syscallOf) {
	files := make([]uintptr, c.actor.control+1)
	for i := range files {
		files[i] = ^uintptr(0)
	}
	for _, fd := range c.op.Keep {
		files[fd] = uintptr(fd)
	}
	files[0], files[1], files[2] = 0, 1, 2
	files[c.actor.control] = uintptr(c.op.Passed)
	cloexec := slices.DeleteFunc(slices.Clone(c.op.Keep), func(fd int) bool {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		return err != nil || flags&unix.FD_CLOEXEC == 0
	})
	name := c.op.Words[0]
	attr := actorAttr(name, files)
	attr.Env = append(attr.Env, cloexecEnviron(cloexec))
	r := c.reply
	r.Start = now()
	pid, err := syscall.ForkExec(selfExe, []string{"closecap: " + name}, attr)
	r.End = now()
	_ = unix.Close(c.op.Passed)
	r.Ret = int64(pid)
	if errno, ok := err.(syscall.Errno); ok {
		r.Ret, r.Errno = -1, int(errno)
	}
}

// callExec replaces the program by itself; the new one's first word ends the call.
func callExec(c *syscallOf) {
	if _, err := unix.FcntlInt(uintptr(c.actor.control), unix.F_SETFD, 0); err != nil {
		os.Exit(3)
	}
	c.begin()
	err := unix.Exec(selfExe, []string{"closecap: " + c.actor.name}, actorEnviron(c.actor.name, c.actor.control))
	c.reply.End, c.reply.Ret = now(), -1
	if errno, ok := err.(unix.Errno); ok {
		c.reply.Errno = int(errno)
	}
	unix.CloseOnExec(c.actor.control)
}
