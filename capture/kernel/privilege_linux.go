package kernel

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// HasNetRaw reports whether this process may capture in its network namespace. It asks by
// opening a packet socket, so that whatever would refuse one later has its say.
func HasNetRaw() bool {
	err := WithNetRaw(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	})
	return err == nil
}

// BecomeCaller makes this process, all its threads, the user who called sudo, for good: user,
// group and supplementary groups, HOME and the other variables that name the user. It comes
// before anything that the user named is opened. What remains are the capabilities to open a
// capture, to make a private namespace and to look into processes, and they are in effect only
// while that is done.
//
// Of a program that has capabilities of its own (setcap) it puts those aside the same way. For
// root without sudo, and for an ordinary user, it does nothing. It refuses a caller that sudo
// cannot have named.
func BecomeCaller() error {
	had, err := threadCapabilities()
	if err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	if os.Geteuid() != 0 {
		if had.permitted == 0 {
			return nil
		}
		return putAside(had.permitted)
	}
	who, err := findCaller()
	if who == nil || err != nil {
		return err
	}
	if err := errors.Join(who.become(), who.setEnv()); err != nil {
		return fmt.Errorf("become user %d: %w", who.uid, err)
	}
	return putAside(had.permitted & (capNetRaw | capSysAdmin | capLook))
}

// KeepLook gives up every capability but those of WithLook, root's own too, on all threads and
// for good. It sets no_new_privs, as DropPrivileges does.
func KeepLook() error {
	had, err := threadCapabilities()
	if err == nil {
		err = onAllThreads("prctl", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1)
	}
	if err == nil {
		err = capabilities{permitted: had.permitted & capLook}.setAll()
	}
	if err != nil {
		return fmt.Errorf("drop privileges: %w", err)
	}
	return nil
}

// DropLook gives up the capabilities of WithLook alone, for who captures. Root keeps them as
// DropPrivileges says.
func DropLook() error {
	if !MayDrop() {
		return nil
	}
	had, err := threadCapabilities()
	if err == nil {
		had.effective, had.permitted = had.effective&^capLook, had.permitted&^capLook
		had.inheritable &^= capLook
		err = had.setAll()
	}
	if err != nil {
		return fmt.Errorf("drop privileges: %w", err)
	}
	return nil
}

// become changes the IDs and keeps the permitted capabilities.
func (c *caller) become() error {
	if err := onAllThreads("prctl", unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1); err != nil {
		return err
	}
	// Groups first: afterwards it would not be allowed. The syscall package changes every thread.
	if err := syscall.Setgroups(c.groups); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	if err := syscall.Setresgid(c.gid, c.gid, c.gid); err != nil {
		return os.NewSyscallError("setresgid", err)
	}
	return os.NewSyscallError("setresuid", syscall.Setresuid(c.uid, c.uid, c.uid))
}

// putAside leaves the capabilities permitted, and none in effect.
//
// The process becomes dumpable again, which changing IDs ended: a private namespace's maps are
// written to files that otherwise belong to root. No other process of the user can look into this
// one as long as it has capabilities that they lack (ptrace(2), access mode checking).
func putAside(permitted uint64) error {
	if err := (capabilities{permitted: permitted}).setAll(); err != nil {
		return fmt.Errorf("put capabilities aside: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("put capabilities aside: %w", os.NewSyscallError("prctl", err))
	}
	return nil
}

// MayDrop reports whether DropPrivileges takes anything away: afterwards this process can open
// no capture any more.
func MayDrop() bool {
	had, err := threadCapabilities()
	return os.Geteuid() != 0 && (err != nil || had.permitted != 0)
}

// DropCapabilities gives up every capability as DropPrivileges does, root's own too: for who needs
// none of them from here on.
func DropCapabilities() error { return dropAll() }

// DropPrivileges gives up every capability of this process, on all its threads and for good. Root
// keeps them: that is root without sudo, or root of a private namespace.
//
// It sets no_new_privs: otherwise this program, started again as an actor or a launcher, would get
// back what its file gives (setcap). A traced program would have it anyway, since who lacks
// CAP_SYS_ADMIN can install a seccomp filter only with it. So the bounding set needs no change.
// The process becomes undumpable: the user's other processes cannot take over its open capture.
func DropPrivileges() error {
	if !MayDrop() {
		return nil
	}
	return dropAll()
}

func dropAll() error {
	err := onAllThreads("prctl", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1)
	if err == nil {
		err = os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
	}
	if err == nil {
		err = capabilities{}.setAll()
	}
	if err != nil {
		return fmt.Errorf("drop privileges: %w", err)
	}
	return nil
}
