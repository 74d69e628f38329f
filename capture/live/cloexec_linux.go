package live

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/capture/hint"
)

// keptFromChildren runs open and marks what it leaves open as FD_CLOEXEC: libpcap does not, and a
// child that inherits a packet socket sees and forges the machine's traffic. No process is started
// meanwhile. Descriptors that were open before stay as they are: what the caller of this program
// passed on is for the children too.
func keptFromChildren(open func() error) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	before, err := inheritable()
	if err != nil {
		return err
	}
	opened := open()
	after, err := inheritable()
	if err != nil {
		return err
	}
	for _, fd := range after {
		if !slices.Contains(before, fd) {
			unix.CloseOnExec(fd)
		}
	}
	return opened
}

// inheritable returns the descriptors that a child would get.
func inheritable() ([]int, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, hint.With(fmt.Errorf("list descriptors: %w", err), "is /proc mounted?")
	}
	var fds []int
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			fds = append(fds, fd)
		}
	}
	return fds, nil
}
