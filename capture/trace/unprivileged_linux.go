//go:build amd64 || arm64

package trace

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/capture/hint"
)

func (t *tracer) warnUnprivileged(p *process) {
	u := WithheldFrom(p.pid)
	if u == nil {
		return
	}
	if t.opts.OnUnprivileged != nil {
		t.opts.OnUnprivileged(u.Program)
	}
	t.warn("%v", u)
}

// WithheldFrom returns what a process did not get that its program's file would give: the kernel
// withholds it from a program with no_new_privs, which an ordinary user's seccomp filter needs, from one
// that is traced by somebody without CAP_SYS_PTRACE, and where its user is not mapped. It returns nil
// where nothing was withheld, or the process is gone.
func WithheldFrom(pid int) *Withheld {
	exe := fmt.Sprintf("/proc/%d/exe", pid)
	name, err := os.Readlink(exe)
	if err != nil {
		return nil
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil
	}
	return withheld(exe, name, status)
}

// WithheldByFile is WithheldFrom for a program that this process is to start.
func WithheldByFile(path string) *Withheld {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil || effective(status, "NoNewPrivs") != "1" {
		return nil
	}
	name, err := filepath.EvalSymlinks(path)
	if err == nil {
		name, err = filepath.Abs(name)
	}
	if err != nil {
		return nil
	}
	return withheld(name, name, status)
}

// withheld compares what the file exe gives with what a process has by its /proc/PID/status.
func withheld(exe, name string, status []byte) *Withheld {
	info, err := os.Stat(exe)
	if err != nil {
		return nil
	}
	file, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return nil
	}
	u := &Withheld{Program: name}
	switch {
	case info.Mode()&os.ModeSetuid != 0 && effective(status, "Uid") != fmt.Sprint(file.Uid):
		u.Kind = "set-uid"
	case info.Mode()&os.ModeSetgid != 0 && effective(status, "Gid") != fmt.Sprint(file.Gid):
		u.Kind = "set-gid"
	case hasCapabilities(exe) && strings.Trim(effective(status, "CapPrm"), "0") == "":
		u.Kind = "setcap"
	default:
		return nil
	}
	return u
}

// effective returns what is in effect of a line of /proc/PID/status (proc_pid_status(5)): the second
// word of a line of IDs, else the only one; "" where there is no such line.
func effective(status []byte, name string) string {
	_, rest, _ := strings.Cut(string(status), "\n"+name+":")
	line, _, _ := strings.Cut(rest, "\n")
	words := strings.Fields(line)
	if len(words) == 0 {
		return ""
	}
	return words[min(1, len(words)-1)]
}

// hasCapabilities reports whether a file gives capabilities (capabilities(7)).
func hasCapabilities(path string) bool {
	n, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0
}

// canLook tries on this process how the tracer looks at descriptors.
func canLook() error {
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err == nil {
		var fd int
		if fd, err = unix.PidfdGetfd(pidfd, pidfd, 0); err == nil {
			unix.Close(fd)
		}
		unix.Close(pidfd)
	}
	if err != unix.ENOSYS && err != unix.EPERM {
		return nil // it works, or lacks something that is no lasting matter
	}
	return hint.With(fmt.Errorf("trace program: look at its sockets: %w", os.NewSyscallError("pidfd_getfd", err)),
		"closecap needs Linux 5.6 or later, and a container's seccomp filter that allows pidfd_open and pidfd_getfd")
}
