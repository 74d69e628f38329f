//go:build amd64 || arm64

package trace

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// socket is one TCP socket, whoever holds it.
type socket struct {
	id            uint64 // no other socket's: the cookie, where that is
	cookie        uint64
	inode         uint64
	multipath     bool // MPTCP's: its packets are those of the sockets below it
	family        int
	local, remote netip.AddrPort // kept after the kernel has forgotten them
	listening     bool
	ringed        bool // only an io_uring may hold it

	held    map[descriptor]event.Time // descriptors of traced processes, as far as known, and since when
	watches []watchAt                 // by epoll
	again   map[string]int            // EAGAIN results since the last call delivered, by family
	polled  uint32                    // the last poll result that was delivered
	told    Socket                    // what was announced last
}

// descriptor is one number in one table of files.
type descriptor struct {
	files *files
	fd    int
}

// socketAt returns the TCP socket that fd is in th's table, nil when it is none or cannot be
// known.
//
// A closing call looks up what it is about to close while it stands stopped at its entry. So a
// descriptor that is not known yet is not being closed by another thread either, and the look
// cannot become the socket's last reference.
func (t *tracer) socketAt(th *thread, fd int) *socket {
	s, known := th.files.known[fd]
	switch {
	case s != nil && t.closing(th, fd, s):
		return t.successor(th, fd, s)
	case known && !th.files.blind:
		return s
	}
	return t.look(th, fd)
}

// successor returns what fd is while another thread is closing old under that number. The kernel
// frees the number first, long before the close returns, and any call may have taken it again.
func (t *tracer) successor(th *thread, fd int, old *socket) *socket {
	inode, ok := t.inode(th.tid, fd)
	if !ok || inode == old.inode {
		return old
	}
	return t.look(th, fd)
}

// look asks the kernel what fd is, and remembers it.
func (t *tracer) look(th *thread, fd int) *socket {
	inode, ok := t.inode(th.tid, fd)
	if !ok {
		return nil // not open, or not a process to look into: asked again next time
	}
	if inode == 0 {
		th.files.set(fd, nil)
		return nil
	}
	s := t.identify(th, fd, inode)
	th.files.set(fd, s)
	return s
}

// inode returns the inode of the socket that fd is, 0 when it is none; ok is false when there is
// no such descriptor.
func (t *tracer) inode(tid, fd int) (inode uint64, ok bool) {
	path := append(t.path[:0], "/proc/"...)
	path = strconv.AppendInt(path, int64(tid), 10)
	path = append(path, "/fd/"...)
	path = strconv.AppendInt(path, int64(fd), 10)
	path = append(path, 0)
	var link [64]byte
	n, _, e := unix.RawSyscall6(unix.SYS_READLINKAT, atFDCWD, uintptr(unsafe.Pointer(&path[0])),
		uintptr(unsafe.Pointer(&link[0])), uintptr(len(link)), 0, 0)
	if e != 0 {
		if e == unix.EACCES || e == unix.EPERM {
			t.warn("thread %d hides its descriptors (not dumpable): its socket calls are not shown", tid)
		}
		return 0, false
	}
	number, isSocket := strings.CutPrefix(string(link[:n]), "socket:[")
	if !isSocket {
		return 0, true
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
	return inode, err == nil
}

var atFDCWD = ^uintptr(99) // AT_FDCWD, -100 (linux/fcntl.h)

// identify returns the TCP socket with this inode, nil when it is no TCP socket.
func (t *tracer) identify(th *thread, fd int, inode uint64) *socket {
	dup, err := duplicate(th, fd)
	if err != nil {
		t.warn("%s: sockets cannot be looked at: pidfd_getfd: %v", th.proc.actor, err)
		return nil
	}
	defer unix.Close(dup)
	family, err := unix.GetsockoptInt(dup, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil || family != unix.AF_INET && family != unix.AF_INET6 {
		return nil
	}
	proto, err := unix.GetsockoptInt(dup, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil || proto != unix.IPPROTO_TCP && proto != unix.IPPROTO_MPTCP {
		return nil
	}
	cookie, err := unix.GetsockoptUint64(dup, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return nil
	}
	id := cookie
	if proto == unix.IPPROTO_MPTCP {
		id = multipathID | inode
	}
	s := t.sockets[id]
	if s == nil {
		s = &socket{id: id, cookie: cookie, inode: inode, family: family, multipath: id != cookie, held: map[descriptor]event.Time{}}
		t.sockets[id] = s
	}
	s.refresh(dup)
	t.announce(s)
	return s
}

// multipathID marks the identity of an MPTCP socket. Those that a listener accepts have its cookie
// (mptcp_sk_clone_init in net/mptcp/protocol.c does not clear it), so that they are known by their inodes. Both
// fit into a number of JSON, and no cookie gets as far.
const multipathID = 1 << 52

// IsMultipath reports whether a socket's identity is that of one of MPTCP. Its state is not that of the sockets
// below it, whose packets are seen.
func IsMultipath(socket uint64) bool { return socket&multipathID != 0 }

// duplicate takes fd from th's process. The caller closes it at once.
func duplicate(th *thread, fd int) (int, error) {
	n, err := take(th.proc.pidfd, fd)
	if err == nil || th.tid == th.proc.pid && th.proc.pidfd >= 0 {
		return n, err
	}
	// The process's first thread has ended before this one, and has no descriptors any more; or the
	// tracer had no descriptor left for a pidfd when the process began.
	own, _, e := unix.RawSyscall(unix.SYS_PIDFD_OPEN, uintptr(th.tid), unix.PIDFD_THREAD, 0)
	if e != 0 {
		return -1, err
	}
	defer unix.Close(int(own))
	return take(int(own), fd)
}

func take(pidfd, fd int) (int, error) {
	n, _, e := unix.RawSyscall(unix.SYS_PIDFD_GETFD, uintptr(pidfd), uintptr(fd), 0)
	if e != 0 {
		return -1, e
	}
	return int(n), nil
}

// refresh reads the addresses. An address that the kernel no longer tells is kept.
func (s *socket) refresh(fd int) {
	if a := sockAddr(unix.SYS_GETSOCKNAME, fd); a.IsValid() && a.Port() != 0 {
		if !a.Addr().IsUnspecified() || !s.local.IsValid() || s.local.Addr().IsUnspecified() {
			s.local = a
		}
	}
	if a := sockAddr(unix.SYS_GETPEERNAME, fd); a.IsValid() && a.Port() != 0 {
		s.remote = a
	}
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	s.listening = err == nil && on != 0
}

// lookAgain refreshes what a call may have changed.
func (t *tracer) lookAgain(th *thread, fd int, s *socket) {
	dup, err := t.reach(th, fd, s)
	if err != nil {
		return
	}
	s.refresh(dup)
	unix.Close(dup)
	t.announce(s)
}

// unread returns how many bytes lie unread in the socket, -1 when that is not known. What closes a
// socket under a thread that is inside connect is the last chance to read the addresses.
func (t *tracer) unread(th *thread, fd int, s *socket) int {
	if s.listening {
		return -1
	}
	dup, err := t.reach(th, fd, s)
	if err != nil {
		return -1
	}
	defer unix.Close(dup)
	if !s.local.IsValid() || !s.remote.IsValid() {
		s.refresh(dup)
		t.announce(s)
	}
	n, err := unix.IoctlGetInt(dup, unix.SIOCINQ)
	if err != nil {
		return -1
	}
	if s.multipath && n > 0 && hungUp(dup) {
		n-- // MPTCP counts its DATA_FIN, or the end itself (mptcp_inq_hint in net/mptcp/protocol.c)
	}
	return n
}

// hungUp reports whether no more data can come.
func hungUp(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLRDHUP != 0
}

// reach returns a duplicate of s for the caller to close at once. It fails where fd no longer is
// s, or another thread is closing it: the duplicate might become the socket's last reference.
func (t *tracer) reach(th *thread, fd int, s *socket) (dup int, err error) {
	if th.files.known[fd] != s || t.closing(th, fd, s) {
		return -1, unix.EBADF
	}
	if dup, err = duplicate(th, fd); err != nil {
		return -1, err
	}
	if cookie, err := unix.GetsockoptUint64(dup, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil || cookie != s.cookie {
		unix.Close(dup)
		return -1, unix.EBADF
	}
	return dup, nil
}

// closing reports whether another thread is inside a call that closes s under this descriptor. The
// number alone says nothing: it is free again, and perhaps another socket's, before that call ends.
func (t *tracer) closing(th *thread, fd int, s *socket) bool {
	for _, o := range t.closers {
		if o.files != th.files || o == th {
			continue
		}
		for _, v := range o.call.victims {
			if v.fd == fd && v.sock == s {
				return true
			}
		}
	}
	return false
}

// sockAddr calls getsockname or getpeername; the zero value when there is no such address.
func sockAddr(call uintptr, fd int) netip.AddrPort {
	var b [unix.SizeofSockaddrAny]byte
	n := uint32(len(b))
	_, _, e := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b)), uintptr(unsafe.Pointer(&n)))
	if e != 0 {
		return netip.AddrPort{}
	}
	return parseSockaddr(b[:min(int(n), len(b))])
}

// ParseSockaddr reads what connect is given; the zero value where that is no address of TCP's.
func ParseSockaddr(b []byte) netip.AddrPort { return parseSockaddr(b) }

// parseSockaddr reads a sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)); IPv4-mapped IPv6 becomes
// IPv4, as on the wire. Any other family gives the zero value.
func parseSockaddr(b []byte) netip.AddrPort {
	if len(b) < 8 {
		return netip.AddrPort{}
	}
	port := binary.BigEndian.Uint16(b[2:])
	switch family := binary.NativeEndian.Uint16(b); {
	case family == unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port)
	case family == unix.AF_INET6 && len(b) >= 24:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])).Unmap(), port)
	}
	return netip.AddrPort{}
}

// procFDs reads /proc/PID/fd: every open descriptor that is a socket, with its inode.
func (t *tracer) procFDs(pid int) (map[int]uint64, error) {
	names, err := dirNames(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return nil, err
	}
	found := map[int]uint64{}
	for _, name := range names {
		fd := number(name)
		if inode, ok := t.inode(pid, fd); ok && inode != 0 {
			found[fd] = inode
		}
	}
	return found, nil
}
