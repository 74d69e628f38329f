package trace

import "golang.org/x/sys/unix"

const nativeArch = unix.AUDIT_ARCH_AARCH64

const epollEventSize, epollDataOffset = 16, 8

var x32Numbers []uint32

// 32-bit ARM: socket, connect, accept, accept4.
var foreignNumbers = []uint32{281, 283, 285, 366}

var archRows map[uint64]row
