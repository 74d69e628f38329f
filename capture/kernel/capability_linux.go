package kernel

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// DropCapabilities takes every capability from all threads of this process, for good, after
// DropPrivileges has done what it does: also from root that nobody called with sudo, and from a
// program that has capabilities by setcap.
func DropCapabilities() error {
	if err := DropPrivileges(); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	// Capabilities are a thread's own, and Go can change all threads only without cgo.
	_, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0)
	if errno != 0 {
		return fmt.Errorf("drop capabilities: %w", os.NewSyscallError("capset", errno))
	}
	return nil
}
