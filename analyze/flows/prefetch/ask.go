//go:build amd64 || arm64

package prefetch

import "unsafe"

//go:noescape
func ask(addresses **uint64, n int)

//go:noescape
func askAll(p unsafe.Pointer, size uintptr)
