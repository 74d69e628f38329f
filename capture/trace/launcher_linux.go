//go:build amd64 || arm64

package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/capture/kernel"
)

// launcherName is the launcher's argv[0]; no shell starts a program under such a name.
const launcherName = "closecap: trace launcher"

// launch is the order that the launcher gets as its only argument.
type launch struct {
	Path    string
	Args    []string
	Listens bool // the program gets the sockets that this process was activated with
}

// start forks the launcher and returns its pid once it has stopped itself. The program's
// environment, directory and streams are the launcher's own.
func start(opts Options, path string) (int, error) {
	order, err := json.Marshal(launch{path, opts.Args, activated()})
	if err != nil {
		return 0, fmt.Errorf("start launcher: %w", err)
	}
	attr := &syscall.ProcAttr{Dir: opts.Dir, Env: opts.Env, Files: []uintptr{
		fileOr(opts.Stdin, 0), fileOr(opts.Stdout, 1), fileOr(opts.Stderr, 2),
	}}
	if attr.Env == nil {
		attr.Env = os.Environ()
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{launcherName, string(order)}, attr)
	if err != nil {
		return 0, fmt.Errorf("start launcher: %w", err)
	}
	var ws unix.WaitStatus
	for {
		_, err = unix.Wait4(pid, &ws, unix.WUNTRACED, nil)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return 0, fmt.Errorf("wait for launcher: %w", err)
	}
	if !ws.Stopped() {
		return 0, launchError(ws)
	}
	return pid, nil
}

// activated reports whether a service manager passed sockets to this process, or to the one that
// made its private namespace (sd_listen_fds(3)).
func activated() bool {
	pid := os.Getenv("LISTEN_PID")
	return pid == strconv.Itoa(os.Getpid()) || kernel.InPrivate() && pid == strconv.Itoa(os.Getppid())
}

func fileOr(f *os.File, fd uintptr) uintptr {
	if f == nil {
		return fd
	}
	return f.Fd()
}

// The launcher can only speak by its exit status: its streams are the program's. Up to
// filterFailed it is the errno of execve, from there on the errno of installing the filter.
const filterFailed = 150

// launchError turns the end of a launcher that did not become the program into an error.
func launchError(ws unix.WaitStatus) error {
	switch code := ws.ExitStatus(); {
	case !ws.Exited():
		return fmt.Errorf("start program: launcher ended by %v", ws.Signal())
	case code == filterFailed:
		return fmt.Errorf("install seccomp filter: %w", errors.ErrUnsupported)
	default:
		return &StartError{syscall.Errno(code)}
	}
}

func launcherMain() {
	if len(os.Args) != 2 || os.Args[0] != launcherName {
		return
	}
	// What this program's file gives (setcap) is not for the order that anybody can write.
	if err := kernel.DropPrivileges(); err != nil {
		os.Exit(int(unix.EPERM))
	}
	runtime.LockOSThread()
	var order launch
	if err := json.Unmarshal([]byte(os.Args[1]), &order); err != nil {
		os.Exit(int(unix.EINVAL))
	}
	// To this thread, not to the process: another thread would let this one run on.
	if err := unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGSTOP); err != nil {
		os.Exit(int(unix.EPERM))
	}
	if err := installFilter(); err != nil {
		os.Exit(filterFailed)
	}
	if order.Listens { // the program takes only what is for its own pid, which is this one
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	os.Exit(exitCode(syscall.Exec(order.Path, order.Args, os.Environ())))
}

func exitCode(err error) int {
	var errno syscall.Errno
	if errors.As(err, &errno) && errno < filterFailed {
		return int(errno)
	}
	return int(unix.EIO)
}
