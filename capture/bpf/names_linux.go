package bpf

import (
	"strings"
	"syscall"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// reasons returns the kernel's words for the reasons of an RST. Their numbers change from one
// release to the next.
func reasons(types *btf.Spec) map[uint32]string {
	var enum *btf.Enum
	if err := types.TypeByName("sk_rst_reason", &enum); err != nil {
		return nil
	}
	names := make(map[uint32]string, len(enum.Values))
	for _, v := range enum.Values {
		names[uint32(v.Value)] = strings.TrimPrefix(v.Name, "SK_RST_REASON_")
	}
	return names
}

func errnoName(err uint16) string { return unix.ErrnoName(syscall.Errno(err)) }

// callNames are the calls in which sockets are opened, used and closed.
var callNames = map[int32]string{
	unix.SYS_ACCEPT: "accept", unix.SYS_ACCEPT4: "accept4", unix.SYS_CLOSE: "close", unix.SYS_CLOSE_RANGE: "close_range",
	unix.SYS_CONNECT: "connect", unix.SYS_DUP3: "dup3", unix.SYS_EXECVE: "execve", unix.SYS_EXECVEAT: "execveat",
	unix.SYS_EXIT: "exit", unix.SYS_EXIT_GROUP: "exit", unix.SYS_IO_URING_ENTER: "io_uring", unix.SYS_READ: "read",
	unix.SYS_READV: "readv", unix.SYS_RECVFROM: "recvfrom", unix.SYS_RECVMSG: "recvmsg", unix.SYS_RECVMMSG: "recvmmsg",
	unix.SYS_SENDFILE: "sendfile", unix.SYS_SENDMSG: "sendmsg", unix.SYS_SENDMMSG: "sendmmsg", unix.SYS_SENDTO: "sendto",
	unix.SYS_SETSOCKOPT: "setsockopt", unix.SYS_SHUTDOWN: "shutdown", unix.SYS_SPLICE: "splice", unix.SYS_WRITE: "write",
	unix.SYS_WRITEV: "writev", unix.SYS_PWRITEV2: "pwritev2", unix.SYS_PREADV2: "preadv2", unix.SYS_SOCKET: "socket",
	unix.SYS_LISTEN: "listen", unix.SYS_BIND: "bind", unix.SYS_EPOLL_PWAIT: "epoll_pwait", unix.SYS_PPOLL: "ppoll", unix.SYS_MUNMAP: "munmap",
}

// callName returns "" for a call that has nothing to do with sockets.
func callName(nr int32) string {
	if name := callNames[nr]; name != "" {
		return name
	}
	return archCalls[nr]
}
