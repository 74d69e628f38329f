package bpf

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Netns returns the inode of a network namespace: "self", a process number, or a path such as
// /run/netns/NAME.
func Netns(name string) (uint32, error) {
	path := name
	if _, err := strconv.Atoi(name); err == nil || name == "self" {
		path = filepath.Join("/proc", name, "ns/net")
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, fmt.Errorf("find network namespace: %w", &os.PathError{Op: "statfs", Path: path, Err: err})
	}
	if fs.Type != unix.NSFS_MAGIC {
		return 0, fmt.Errorf("find network namespace: %s is none", path)
	}
	ino, err := inode(path)
	return uint32(ino), err
}

// Cgroup returns the id of a cgroup (version 2) by its path, in full or below /sys/fs/cgroup.
func Cgroup(path string) (uint64, error) {
	const root = "/sys/fs/cgroup"
	var fs unix.Statfs_t
	if unix.Statfs(path, &fs) != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
		path = filepath.Join(root, path)
		if err := unix.Statfs(path, &fs); err != nil {
			return 0, fmt.Errorf("find cgroup: %w", &os.PathError{Op: "statfs", Path: path, Err: err})
		}
	}
	if fs.Type != unix.CGROUP2_SUPER_MAGIC {
		return 0, fmt.Errorf("find cgroup: %s is none of version 2", path)
	}
	return inode(path)
}

func inode(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return st.Ino, nil
}
