//go:build amd64 || arm64

package trace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// traceOptions: stops of its calls, of all its descendants, of exec and exit; all of them die
// with the tracer, because without one the filter would answer ENOSYS to every socket call.
const traceOptions = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACESECCOMP |
	unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE |
	unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACEEXIT | unix.PTRACE_O_EXITKILL

// syscallStop is the signal of a syscall stop under PTRACE_O_TRACESYSGOOD.
const syscallStop = unix.SIGTRAP | 0x80

// syscallInfo is struct ptrace_syscall_info (linux/ptrace.h). The union's words are, at a
// seccomp stop, the number, six arguments and the filter's data; at an exit, the result and
// whether it is an error.
type syscallInfo struct {
	Op   uint8
	_    [3]uint8
	Arch uint32
	IP   uint64
	SP   uint64
	Data [8]uint64
}

func (i *syscallInfo) nr() uint64       { return i.Data[0] }
func (i *syscallInfo) args() [6]uint64  { return [6]uint64(i.Data[1:7]) }
func (i *syscallInfo) stopKind() uint32 { return uint32(i.Data[7]) }
func (i *syscallInfo) result() int64    { return int64(i.Data[0]) }

func (i *syscallInfo) get(tid int) error {
	return ptraceInto(unix.PTRACE_GET_SYSCALL_INFO, tid, unsafe.Sizeof(*i), unsafe.Pointer(i))
}

func eventMessage(tid int) (uint64, error) {
	var msg uint64
	err := ptraceInto(unix.PTRACE_GETEVENTMSG, tid, 0, unsafe.Pointer(&msg))
	return msg, err
}

// ptrace makes one request; none of those used here can block.
func ptrace(request, tid int, data uintptr) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), 0, data, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// ptraceInto makes a request whose answer the kernel writes to data.
func ptraceInto(request, tid int, addr uintptr, data unsafe.Pointer) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, uintptr(data), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
