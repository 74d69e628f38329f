//go:build !unix

package main

import (
	"io/fs"
	"os"
)

// modeLike is the mode of the file was for f, which is to replace it.
func modeLike(_ *os.File, was fs.FileInfo) fs.FileMode { return was.Mode().Perm() }
