//go:build !linux

package pcapfile

import "os"

func widen(*os.File) {}
