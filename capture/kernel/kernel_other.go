//go:build !linux

package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
)

func unsupported(what string) error {
	return hint.With(fmt.Errorf("%s on %s: %w", what, runtime.GOOS, errors.ErrUnsupported),
		"only Linux can; recordings are analyzed everywhere: closecap analyze FILE")
}

// Diag is an open sock_diag socket.
type Diag struct{}

// OpenDiag is not supported here.
func OpenDiag() (*Diag, error) { return nil, unsupported("open sock_diag") }

// Close does nothing.
func (d *Diag) Close() error { return nil }

// Sample is not supported here.
func (d *Diag) Sample(local, remote netip.AddrPort) (event.Sample, error) {
	return event.Sample{}, unsupported("sample endpoint")
}

// List is not supported here.
func (d *Diag) List() ([]event.Socket, error) { return nil, unsupported("list sockets") }

// FindHolders is not supported here.
func FindHolders(sockets []event.Socket) (refused int, err error) {
	return 0, unsupported("find socket holders")
}

// Sysctl is not supported here.
func Sysctl(name string) (string, error) { return "", unsupported("read sysctl " + name) }

// ReadCounters is not supported here.
func ReadCounters() (Counters, error) { return nil, unsupported("read TCP counters") }

// Holders is not supported here.
func Holders(inode uint64) ([]event.Holder, error) {
	return nil, unsupported("find socket holders")
}

// InPrivate reports false: there is no private namespace here.
func InPrivate() bool { return false }

// ReexecPrivate is not supported here.
func ReexecPrivate(opt PrivateOptions) (exit int, err error) {
	return 1, unsupported("make private network namespace")
}

// Aside returns nil: there is no private namespace here.
func Aside() *os.File { return nil }

// InPIDNamespace reports false: there are no process namespaces here.
func InPIDNamespace() bool { return false }

// RaiseLoopback does nothing.
func RaiseLoopback() error { return nil }

// SetSysctl is not supported here.
func SetSysctl(name, value string) error { return unsupported("set sysctl " + name) }

// HasNetRaw reports false: capturing is not supported here.
func HasNetRaw() bool { return false }

// MayDrop reports false.
func MayDrop() bool { return false }

// BecomeCaller does nothing.
func BecomeCaller() error { return nil }

// DropPrivileges does nothing.
func DropPrivileges() error { return nil }

// WithBPF runs open.
func WithBPF(open func() error) error { return open() }

// WithLook runs look.
func WithLook(look func() error) error { return look() }

// KeepLook does nothing.
func KeepLook() error { return nil }

// DropLook does nothing.
func DropLook() error { return nil }

// DropCapabilities does nothing.
func DropCapabilities() error { return nil }

// Release returns the operating system's name.
func Release() string { return runtime.GOOS }
