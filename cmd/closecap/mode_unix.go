//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// modeLike is the mode of the file was for f, which is to replace it. Where f cannot have its
// group, the group gets nothing: it would be another one.
func modeLike(f *os.File, was fs.FileInfo) fs.FileMode {
	mode := was.Mode().Perm()
	before, known := was.Sys().(*syscall.Stat_t)
	if !known || f.Chown(-1, int(before.Gid)) != nil {
		mode &^= 0o070
	}
	return mode
}
