package trace

import "golang.org/x/sys/unix"

const nativeArch = unix.AUDIT_ARCH_X86_64

// epollEventSize is struct epoll_event's; amd64 packs it.
const epollEventSize, epollDataOffset = 12, 4

// x32 calls come with the native architecture and this bit: socket, connect, accept, accept4.
const x32Bit = 0x40000000

var x32Numbers = []uint32{x32Bit | 41, x32Bit | 42, x32Bit | 43, x32Bit | 288}

// i386: socketcall, socket, connect, accept4.
var foreignNumbers = []uint32{102, 359, 362, 364}

// archRows are the calls that newer architectures no longer have.
var archRows = map[uint64]row{
	unix.SYS_DUP2:       {name: "dup2", family: "dup", enter: enterDup2, leave: leaveDup},
	unix.SYS_POLL:       {name: "poll", family: "poll", enter: enterPoll, leave: leavePoll},
	unix.SYS_EPOLL_WAIT: {name: "epoll_wait", family: "poll", enter: enterPoll, leave: leaveEpoll},
	unix.SYS_FORK:       {name: "fork", enter: enterFork},
	unix.SYS_VFORK:      {name: "vfork", enter: enterFork},
}

func enterFork(_ *tracer, th *thread, _ *call) bool {
	th.cloning, th.cloneFlags = true, 0
	return false
}
