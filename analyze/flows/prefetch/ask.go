//go:build amd64 || arm64

package prefetch

//go:noescape
func ask(addresses **uint64, n int)
