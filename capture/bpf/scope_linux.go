package bpf

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Netns returns the inode of a network namespace: "self", a process number, or a path such as
// /run/netns/NAME.
func Netns(name string) (uint32, error) {
	path := name
	if _, err := strconv.Atoi(name); err == nil || name == "self" {
		path = filepath.Join("/proc", name, "ns/net")
	}
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("find network namespace: %w", &os.PathError{Op: "statfs", Path: path, Err: err})
	}
	if st.Type != unix.NSFS_MAGIC {
		return 0, fmt.Errorf("find network namespace: %s is none", path)
	}
	ino, err := inode(path)
	return uint32(ino), err
}

// Cgroup returns the id of a cgroup (version 2) by its path, in full or below /sys/fs/cgroup.
func Cgroup(path string) (uint64, error) {
	const root = "/sys/fs/cgroup"
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil || st.Type != unix.CGROUP2_SUPER_MAGIC {
		path = filepath.Join(root, path)
		if err := unix.Statfs(path, &st); err != nil {
			return 0, fmt.Errorf("find cgroup: %w", &os.PathError{Op: "statfs", Path: path, Err: err})
		}
	}
	if st.Type != unix.CGROUP2_SUPER_MAGIC {
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

// Container returns the id of the cgroup (version 2) of the container with this id: the one whose
// name has it. An id may be shortened as long as only one container has it.
func Container(id string) (uint64, error) {
	const root = "/sys/fs/cgroup"
	if len(id) < 4 {
		return 0, fmt.Errorf("find container: %q is too short to name one", id)
	}
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path == root:
			return err
		case err != nil || !d.IsDir():
			return nil // it may have ended meanwhile
		case strings.Contains(d.Name(), id):
			found = append(found, path)
			return filepath.SkipDir
		}
		return nil
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("find container: %w", err)
	case len(found) == 0:
		return 0, fmt.Errorf("find container: no cgroup has %q in its name", id)
	case len(found) > 1:
		return 0, fmt.Errorf("find container: %q is in the names of %d cgroups, %s among them", id, len(found), found[0])
	}
	return Cgroup(found[0])
}
