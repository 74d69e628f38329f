package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/capture/hint"
)

// privateEnv names the network namespace that a private one was made from. It alone proves
// nothing: InPrivate believes what the kernel says.
const privateEnv = "CLOSECAP_PRIVATE_FROM"

// initialUserNS is the inode of the machine's first user namespace (PROC_USER_INIT_INO,
// linux/proc_ns.h).
const initialUserNS = 0xEFFFFFFD

// InPrivate reports whether this process runs in a private namespace that ReexecPrivate made.
// The environment must say so, and the kernel that the network namespace belongs to this
// process's own user namespace, which is not the machine's first: the variable alone, set by
// anybody, opens nothing.
func InPrivate() bool {
	from := os.Getenv(privateEnv)
	if from == "" {
		return false
	}
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil || here == from {
		return false
	}
	mine, owner, err := userNamespaces()
	return err == nil && mine == owner && mine != initialUserNS
}

// userNamespaces returns the inodes of this process's user namespace and of the one that owns
// its network namespace.
func userNamespaces() (mine, owner uint64, err error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/user", &st); err != nil {
		return 0, 0, err
	}
	mine = st.Ino
	net, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return 0, 0, err
	}
	defer net.Close()
	fd, err := unix.IoctlRetInt(int(net.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		return 0, 0, err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, 0, err
	}
	return mine, st.Ino, nil
}

// RaiseLoopback brings the loopback of the private namespace up. Outside of one it does nothing.
// Where the system makes user namespaces without power (AppArmor), this is what fails.
func RaiseLoopback() error {
	if !InPrivate() {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("raise loopback: %w", os.NewSyscallError("socket", err))
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("raise loopback: %w", err)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifr); err != nil {
		return fmt.Errorf("raise loopback: %w", os.NewSyscallError("ioctl", err))
	}
	ifr.SetUint16(ifr.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return refused("raise loopback", os.NewSyscallError("ioctl", err))
	}
	return nil
}

// ReexecPrivate runs this program again in a new user and network namespace and waits for it.
// There it is root (the user who called, outside), may capture, and has counters and sysctls of
// its own. It calls RaiseLoopback first.
//
// The returned status is the program's, 128+N if signal N ended it. If this process is killed,
// so is that one. Signals are passed on, but those of the terminal, which sends them to both.
func ReexecPrivate(opt PrivateOptions) (exit int, err error) {
	const verb = "make private network namespace"
	from, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return 1, hint.With(fmt.Errorf("%s: %w", verb, err), "is /proc mounted?")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append(os.Args[:1:1], opt.Args...)
	if opt.Args == nil {
		cmd.Args = os.Args
	}
	// Root of the private namespace is nobody's by sudo.
	cmd.Env = append(append(withoutSudo(os.Environ()), opt.Env...), privateEnv+"="+from)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = opt.Stdin, opt.Stdout, opt.Stderr
	cmd.SysProcAttr = privateAttr()

	own, others, err := asideStream(opt, cmd)
	if err != nil {
		return 1, fmt.Errorf("%s: %w", verb, err)
	}
	defer own.Close()

	signals := make(chan os.Signal, 16)
	notify(signals)
	defer signal.Stop(signals)

	// PR_SET_PDEATHSIG speaks of the thread that started the child, so this one must last.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Where user namespaces are restricted, CAP_SYS_ADMIN still makes one.
	err = withCapabilities(capSysAdmin, cmd.Start)
	others.Close()
	if err != nil {
		return 1, refused(verb, err)
	}
	stopAside, err := startAside(opt, cmd, own)
	defer stopAside()
	if err == nil && opt.Last {
		err = DropPrivileges()
	}
	done := make(chan struct{})
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		forward(cmd.Process, signals, done)
	}()
	waited := cmd.Wait()
	close(done)
	<-forwarded
	exit, ended := exitStatus(cmd.ProcessState, waited)
	return exit, errors.Join(err, ended)
}

// privateAttr maps the inside's root to the user who is to own what it writes. For root itself
// all users are mapped: a traced server may have to become another one.
func privateAttr() *syscall.SysProcAttr {
	uid, gid := os.Geteuid(), os.Getegid()
	privileged := uid == 0
	users, groups := 1, 1
	if privileged {
		users, groups = mapped("/proc/self/uid_map"), mapped("/proc/self/gid_map")
	}
	return &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: users}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: groups}},
		// user_namespaces(7): only the privileged may keep setgroups, and then must use it to
		// lose the groups that root came with.
		GidMappingsEnableSetgroups: privileged,
		Credential:                 &syscall.Credential{Uid: 0, Gid: 0, NoSetGroups: !privileged},
		Pdeathsig:                  unix.SIGKILL,
	}
}

// mapped returns how many IDs from 0 on this user namespace knows (user_namespaces(7)), at
// least the one that is there.
func mapped(file string) int {
	text, err := os.ReadFile(file)
	if err != nil {
		return 1
	}
	var first, outside, size int
	if n, err := fmt.Sscan(string(text), &first, &outside, &size); n != 3 || err != nil || first != 0 {
		return 1
	}
	return max(size, 1)
}

// notify asks for the signals that are passed on, but those that this process was started to
// ignore (nohup): the child inherits that.
func notify(signals chan<- os.Signal) {
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
}

// forward passes signals on until done is closed. What a terminal sends goes to the whole
// foreground process group, the child included, and is not repeated.
func forward(p *os.Process, signals <-chan os.Signal, done <-chan struct{}) {
	for {
		select {
		case s := <-signals:
			if (s == unix.SIGINT || s == unix.SIGQUIT) && inForeground() {
				continue
			}
			// The child may have ended just now; Wait tells.
			_ = p.Signal(s)
		case <-done:
			return
		}
	}
}

// inForeground reports whether this process belongs to its terminal's foreground group.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

func exitStatus(state *os.ProcessState, err error) (int, error) {
	if state == nil {
		return 1, fmt.Errorf("wait for private process: %w", err)
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return state.ExitCode(), fmt.Errorf("copy streams of private process: %w", err)
	}
	return state.ExitCode(), nil
}

// refused explains why the system makes no namespace, as far as it says.
func refused(verb string, err error) error {
	return hint.With(fmt.Errorf("%s: %w", verb, err), refusalHint(err))
}

func refusalHint(err error) string {
	const or = "; or use sudo, or setcap cap_net_raw+ep on the program"
	switch {
	case sysctlIs("user/max_user_namespaces", "0"):
		return "user namespaces are switched off; sudo sysctl user.max_user_namespaces=10000" + or
	case sysctlIs("user/max_net_namespaces", "0"):
		return "network namespaces are switched off; sudo sysctl user.max_net_namespaces=10000" + or
	case sysctlIs("kernel/unprivileged_userns_clone", "0"):
		return "user namespaces are root's only; sudo sysctl kernel.unprivileged_userns_clone=1" + or
	case sysctlIs("kernel/apparmor_restrict_unprivileged_userns", "1"):
		return "AppArmor restricts user namespaces; sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0" + or
	case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS):
		return "the limit of namespaces is reached; see /proc/sys/user" + or
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS):
		return "this kernel has no user namespaces; use sudo, or setcap cap_net_raw+ep on the program"
	case errors.Is(err, fs.ErrNotExist):
		return "is /proc mounted?"
	case errors.Is(err, fs.ErrPermission):
		return "the system forbids user namespaces (a container's seccomp filter does)" + or
	}
	return "use sudo, or setcap cap_net_raw+ep on the program"
}

// sysctlIs reports whether /proc/sys/NAME reads value; false where there is no such file.
func sysctlIs(name, value string) bool {
	b, err := os.ReadFile("/proc/sys/" + name)
	return err == nil && strings.TrimSpace(string(b)) == value
}
