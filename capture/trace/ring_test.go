//go:build linux && (amd64 || arm64)

package trace_test

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// ringHolds closes a socket on which a request of its io_uring waits for data, and ends.
func ringHolds() {
	p := connected()
	var params [120]byte // struct io_uring_params of linux/io_uring.h
	fd, _, e := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
	if e != 0 {
		must(e)
	}
	offset := func(at int) int { return int(binary.NativeEndian.Uint32(params[at:])) }
	const sqRing, entries, protection = 0, 0x10000000, unix.PROT_READ | unix.PROT_WRITE
	array, tail := offset(64), offset(44)
	ring := must1(unix.Mmap(int(fd), sqRing, array+4, protection, unix.MAP_SHARED))
	entry := must1(unix.Mmap(int(fd), entries, 64, protection, unix.MAP_SHARED))
	var b [16]byte
	entry[0] = 27 // IORING_OP_RECV
	binary.NativeEndian.PutUint32(entry[4:], uint32(p.client))
	binary.NativeEndian.PutUint64(entry[16:], uint64(uintptr(unsafe.Pointer(&b))))
	binary.NativeEndian.PutUint32(entry[24:], uint32(len(b)))
	binary.NativeEndian.PutUint32(ring[tail:], 1)
	if _, _, e := unix.Syscall6(unix.SYS_IO_URING_ENTER, fd, 1, 0, 0, 0, 0); e != 0 {
		must(e)
	}
	must(unix.Close(p.client))
	os.Exit(0)
}

// TestRingHolds: a request in io_uring holds a socket beyond its last descriptor, until the process has ended.
func TestRingHolds(t *testing.T) {
	var params [120]byte
	fd, _, e := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
	if e != 0 {
		skipUnable(t, errors.Join(e))
	}
	unix.Close(int(fd))
	r := recordProgram(t, "ring-holds")
	client := only(r.calls, "connect")[0].Socket
	closing := only(r.calls, "close")[0]
	if closing.Socket != client || !closing.Ring || len(closing.Holders) > 0 || closing.Samples[0].State != event.Established {
		t.Errorf("close = %+v, want one that leaves the socket to io_uring", closing)
	}
	exits := only(r.calls, "exit")
	i := slices.IndexFunc(exits, func(c *event.Call) bool { return c.Socket == client })
	if i < 0 || !exits[i].Ring {
		t.Fatalf("exits = %q, want one of the socket that io_uring held", story(exits))
	}
	for k, c := range exits {
		if k != i && c.Ring {
			t.Errorf("exit of fd %d: io_uring held nothing of it", c.FD)
		}
	}
}
