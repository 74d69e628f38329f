package kernel

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// HasNetRaw reports whether this process may capture in its network namespace. It asks by
// opening a packet socket, so that whatever would refuse one later has its say.
func HasNetRaw() bool {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

// DropPrivileges makes this process, all its threads, the user who called sudo, for good: user,
// group and supplementary groups, no capability left. It does nothing when the process is not
// root by sudo or did so before, and in a private namespace, whose root is that user already.
//
// It does not set no_new_privs: a traced program may rightly call sudo or ping. The process stays
// undumpable, so the user's other processes cannot take over its open capture.
func DropPrivileges() error {
	if !MayDrop() {
		return nil
	}
	uid, gid, _ := sudoUser()
	// Groups first: afterwards it would not be allowed. The syscall package changes every thread.
	if err := syscall.Setgroups(groupsOf(uid, gid)); err != nil {
		return fmt.Errorf("drop privileges: %w", os.NewSyscallError("setgroups", err))
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return fmt.Errorf("drop privileges: %w", os.NewSyscallError("setresgid", err))
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("drop privileges: %w", os.NewSyscallError("setresuid", err))
	}
	return nil
}

// MayDrop reports whether DropPrivileges has somebody to become: afterwards this process can
// open no capture any more.
func MayDrop() bool {
	_, _, ok := sudoUser()
	return ok && os.Geteuid() == 0 && !InPrivate()
}

// sudoUser returns who called sudo; ok is false when nobody did, or root itself.
func sudoUser() (uid, gid int, ok bool) {
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	if err != nil || uid <= 0 {
		return 0, 0, false
	}
	gid, err = strconv.Atoi(os.Getenv("SUDO_GID"))
	if err != nil || gid < 0 {
		return 0, 0, false
	}
	return uid, gid, true
}

// groupsOf returns the user's supplementary groups, only gid where the system does not know.
func groupsOf(uid, gid int) []int {
	groups := []int{gid}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return groups
	}
	ids, err := u.GroupIds()
	if err != nil {
		return groups
	}
	for _, id := range ids {
		if g, err := strconv.Atoi(id); err == nil && g != gid {
			groups = append(groups, g)
		}
	}
	return groups
}
