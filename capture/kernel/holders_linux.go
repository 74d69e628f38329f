package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// Holders returns the descriptors of other processes that refer to the socket with this inode,
// in the order of process and descriptor. Processes that ended meanwhile or that this one may
// not look into are passed over.
func Holders(inode uint64) ([]event.Holder, error) {
	pids, err := processes()
	if err != nil {
		return nil, err
	}
	want := fmt.Sprintf("socket:[%d]", inode)
	var found []event.Holder
	for _, pid := range pids {
		if pid == os.Getpid() {
			continue
		}
		fds, err := descriptors(pid, want)
		if err != nil {
			return nil, err
		}
		for _, fd := range fds {
			found = append(found, event.Holder{PID: pid, FD: fd})
		}
	}
	return found, nil
}

func processes() ([]int, error) {
	names, err := readDir("/proc")
	if err != nil {
		return nil, WithHint(fmt.Errorf("list processes: %w", err), "is /proc mounted?")
	}
	return numbers(names), nil
}

// descriptors returns the descriptors of pid that link to want.
func descriptors(pid int, want string) ([]int, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	names, err := readDir(dir)
	if err != nil {
		if gone(err) || errors.Is(err, fs.ErrPermission) {
			return nil, nil
		}
		return nil, fmt.Errorf("list descriptors: %w", err)
	}
	var fds []int
	for _, fd := range numbers(names) {
		// A descriptor that was closed meanwhile has no link, and is no holder.
		if link, err := os.Readlink(filepath.Join(dir, strconv.Itoa(fd))); err == nil && link == want {
			fds = append(fds, fd)
		}
	}
	return fds, nil
}

func readDir(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) }

// numbers returns the names that are numbers, in order.
func numbers(names []string) []int {
	var ns []int
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			ns = append(ns, n)
		}
	}
	slices.Sort(ns)
	return ns
}
