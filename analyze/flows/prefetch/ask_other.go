//go:build !amd64 && !arm64

package prefetch

import "unsafe"

func ask(**uint64, int) {}

func askAll(unsafe.Pointer, uintptr) {}
