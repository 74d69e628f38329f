//go:build amd64 || arm64

package trace

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// rows are the calls that stop the program, by number.
var rows = makeRows()

func makeRows() map[uint64]row {
	m := map[uint64]row{
		unix.SYS_SOCKET:  {"socket", "socket", enterSocket, leaveSocket},
		unix.SYS_BIND:    {"bind", "bind", enterFD, leaveBind},
		unix.SYS_LISTEN:  {"listen", "listen", enterListen, leaveListen},
		unix.SYS_CONNECT: {"connect", "connect", enterConnect, leaveConnect},
		unix.SYS_ACCEPT:  {"accept", "accept", enterFD, leaveAccept},
		unix.SYS_ACCEPT4: {"accept4", "accept", enterFD, leaveAccept},

		unix.SYS_WRITE:    {"write", "send", enterFD, leaveBuffer},
		unix.SYS_SENDTO:   {"sendto", "send", enterSend, leaveBuffer},
		unix.SYS_WRITEV:   {"writev", "send", enterFD, leaveVector},
		unix.SYS_PWRITEV2: {"pwritev2", "send", enterFD, leaveVector},
		unix.SYS_SENDMSG:  {"sendmsg", "send", enterSend, leaveMessage},
		unix.SYS_SENDMMSG: {"sendmmsg", "send", enterFD, leaveMessages},
		unix.SYS_SENDFILE: {"sendfile", "send", enterFD, leaveSendfile},

		unix.SYS_READ:     {"read", "recv", enterFD, leaveBuffer},
		unix.SYS_RECVFROM: {"recvfrom", "recv", enterFD, leaveBuffer},
		unix.SYS_READV:    {"readv", "recv", enterFD, leaveVector},
		unix.SYS_PREADV2:  {"preadv2", "recv", enterFD, leaveVector},
		unix.SYS_RECVMSG:  {"recvmsg", "recv", enterFD, leaveMessage},
		unix.SYS_RECVMMSG: {"recvmmsg", "recv", enterFD, leaveMessages},
		unix.SYS_SPLICE:   {"splice", "send", enterSplice, leaveSplice},

		unix.SYS_SHUTDOWN:    {"shutdown", "shutdown", enterShutdown, leaveShutdown},
		unix.SYS_CLOSE:       {"close", "close", enterClose, leaveClose},
		unix.SYS_CLOSE_RANGE: {"close_range", "close", enterCloseRange, leaveClose},
		unix.SYS_DUP:         {"dup", "dup", enterFD, leaveDup},
		unix.SYS_DUP3:        {"dup3", "dup", enterDup2, leaveDup},
		unix.SYS_FCNTL:       {"fcntl", "dup", enterFD, leaveDup},

		unix.SYS_SETSOCKOPT:   {"setsockopt", "setsockopt", enterFD, leaveSetsockopt},
		unix.SYS_GETSOCKOPT:   {"getsockopt", "getsockopt", enterFD, leaveGetsockopt},
		unix.SYS_PPOLL:        {"ppoll", "poll", enterPoll, leavePoll},
		unix.SYS_EPOLL_PWAIT:  {"epoll_pwait", "poll", enterPoll, leaveEpoll},
		unix.SYS_EPOLL_PWAIT2: {"epoll_pwait2", "poll", enterPoll, leaveEpoll},

		unix.SYS_EPOLL_CTL: {"epoll_ctl", "", enterEpollCtl, nil},

		unix.SYS_EXECVE:         {"execve", "close", enterExec, leaveNothing},
		unix.SYS_EXECVEAT:       {"execveat", "close", enterExec, leaveNothing},
		unix.SYS_CLONE:          {"clone", "", enterClone, nil},
		unix.SYS_CLONE3:         {"clone3", "", enterClone3, nil},
		unix.SYS_UNSHARE:        {"unshare", "", enterUnshare, nil},
		unix.SYS_IO_URING_SETUP: {"io_uring_setup", "", enterRing, nil},
	}
	maps.Copy(m, archRows)
	return m
}

// tracedNumbers are what the filter stops at; fcntl it tells apart by its argument.
func tracedNumbers() []uint32 {
	var numbers []uint32
	for nr := range rows {
		if nr != unix.SYS_FCNTL {
			numbers = append(numbers, uint32(nr))
		}
	}
	slices.Sort(numbers)
	return numbers
}
