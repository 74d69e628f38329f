package kernel

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// asideEnv has the number of the descriptor that Aside returns.
const asideEnv = "CLOSECAP_PRIVATE_ASIDE"

// asideStream makes the stream that opt.Aside wants, and lets cmd inherit its other end, under a number that none of
// the descriptors has which it inherits anyhow. Both ends are nil where none is wanted.
func asideStream(opt PrivateOptions, cmd *exec.Cmd) (own, others *os.File, err error) {
	// This process's own is not that one's.
	cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, asideEnv+"=") })
	if opt.Aside == nil {
		return nil, nil, nil
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	own, others = os.NewFile(uintptr(fds[0]), "aside"), os.NewFile(uintptr(fds[1]), "aside")
	if _, err := unix.FcntlInt(uintptr(fds[1]), unix.F_SETFD, 0); err != nil {
		return nil, nil, errors.Join(os.NewSyscallError("fcntl", err), own.Close(), others.Close())
	}
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", asideEnv, fds[1]))
	return own, others, nil
}

// startAside lets opt.Aside begin, and ends the process of cmd where that fails. stop waits for what goes on beside it.
func startAside(opt PrivateOptions, cmd *exec.Cmd, own *os.File) (stop func(), err error) {
	if opt.Aside == nil {
		return func() {}, nil
	}
	beside, err := opt.Aside(cmd.Process.Pid, own)
	if err != nil {
		// It may have ended by itself.
		_ = cmd.Process.Kill()
	}
	if err != nil || beside == nil {
		return func() {}, errors.Join(err, own.Close())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		beside()
		own.Close()
	}()
	return func() { <-done }, nil
}

// Aside returns the stream to the process that made this private namespace, nil without one, or when it has been
// returned before. No program that is started from here inherits it.
func Aside() *os.File {
	fd, err := strconv.Atoi(os.Getenv(asideEnv))
	os.Unsetenv(asideEnv)
	if err != nil || !InPrivate() {
		return nil
	}
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil || kind != unix.AF_UNIX {
		return nil
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "aside")
}
