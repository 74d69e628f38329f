package bpf

import "golang.org/x/sys/unix"

// archCalls are the calls that newer architectures no longer have.
var archCalls = map[int32]string{unix.SYS_DUP2: "dup2", unix.SYS_EPOLL_WAIT: "epoll_wait", unix.SYS_POLL: "poll"}
