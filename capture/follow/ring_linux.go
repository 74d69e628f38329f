//go:build amd64 || arm64

package follow

import (
	"fmt"
	"os"
)

// usesRing reports whether a process has an io_uring among its descriptors.
func usesRing(pid int) bool {
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	names, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, n := range names {
		if link, err := os.Readlink(dir + n.Name()); err == nil && link == "anon_inode:[io_uring]" {
			return true
		}
	}
	return false
}
