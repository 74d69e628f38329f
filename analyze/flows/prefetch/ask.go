//go:build amd64 || arm64

package prefetch

//go:noescape
func ask(addresses **uint64, n int)

//go:noescape
func askSpan(first, last *uint64)
