package kernel

import (
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// capabilities are a thread's sets (capabilities(7)), a bit each.
type capabilities struct{ effective, permitted, inheritable uint64 }

func threadCapabilities() (capabilities, error) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return capabilities{}, os.NewSyscallError("capget", err)
	}
	return capabilities{
		effective:   uint64(data[0].Effective) | uint64(data[1].Effective)<<32,
		permitted:   uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32,
		inheritable: uint64(data[0].Inheritable) | uint64(data[1].Inheritable)<<32,
	}, nil
}

func (c capabilities) data() [2]unix.CapUserData {
	return [2]unix.CapUserData{
		{Effective: uint32(c.effective), Permitted: uint32(c.permitted), Inheritable: uint32(c.inheritable)},
		{Effective: uint32(c.effective >> 32), Permitted: uint32(c.permitted >> 32), Inheritable: uint32(c.inheritable >> 32)},
	}
}

// set gives this thread the sets.
func (c capabilities) set() error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := c.data()
	return os.NewSyscallError("capset", unix.Capset(&hdr, &data[0]))
}

// setAll gives every thread the sets. The kernel takes out of the ambient set what is no longer
// both permitted and inheritable.
func (c capabilities) setAll() error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := c.data()
	return onAllThreads("capset", unix.SYS_CAPSET, uintptr(unsafe.Pointer(&hdr)), uintptr(unsafe.Pointer(&data)))
}

// onAllThreads makes the call on every thread: those of C too, which the syscall package does
// not reach.
//
//go:uintptrescapes
func onAllThreads(name string, nr, a1, a2 uintptr) error {
	// Six: prctl looks at arguments that it does not use.
	if _, _, errno := psx.Syscall6(nr, a1, a2, 0, 0, 0, 0); errno != 0 {
		return os.NewSyscallError(name, errno)
	}
	return nil
}

const (
	capNetRaw   = 1 << unix.CAP_NET_RAW
	capSysAdmin = 1 << unix.CAP_SYS_ADMIN // holds the two below
	capBPF      = 1 << unix.CAP_BPF
	capPerfmon  = 1 << unix.CAP_PERFMON

	// What FindHolders needs for the processes of others: to list their descriptors, and to read
	// where those lead.
	capLook = 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_SYS_PTRACE
)

// WithNetRaw runs open, which opens a capture, with CAP_NET_RAW in effect if this process may
// have it: on the calling thread alone, and only until open returns.
func WithNetRaw(open func() error) error { return withCapabilities(capNetRaw, open) }

// WithBPF runs open, which loads and attaches BPF programs, with the capabilities for that in
// effect, as WithNetRaw does with its own.
func WithBPF(open func() error) error { return withCapabilities(capSysAdmin|capBPF|capPerfmon, open) }

// WithLook runs look, which looks into other users' processes, with the capabilities for that in
// effect, as WithNetRaw does with its own.
func WithLook(look func() error) error { return withCapabilities(capLook, look) }

func withCapabilities(wanted uint64, f func() error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	had, err := threadCapabilities()
	if err != nil {
		return err
	}
	raised := had
	raised.effective |= wanted & had.permitted
	if raised == had {
		return f()
	}
	if err := raised.set(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, had.set()) }()
	return f()
}
