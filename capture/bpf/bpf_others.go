//go:build !linux

package bpf

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
)

// Endings is an attached set of programs.
type Endings struct{}

func unsupported(what string) error {
	return hint.With(fmt.Errorf("%s on %s: %w", what, runtime.GOOS, errors.ErrUnsupported),
		"only Linux has BPF tracepoints; recordings are analyzed everywhere: closecap analyze FILE")
}

// Open is not supported here.
func Open(Options) (*Endings, error) { return nil, unsupported("watch the kernel") }

// Poll is not supported here.
func (s *Endings) Poll(time.Duration, func(event.KernelEvent)) error {
	return unsupported("watch the kernel")
}

// Lacks returns nothing.
func (s *Endings) Lacks() []string { return nil }

// Losses returns nothing.
func (s *Endings) Losses() Losses { return Losses{} }

// NamesHolders is false here.
func (s *Endings) NamesHolders() bool { return false }

// Holders is not supported here.
func (s *Endings) Holders() (map[uint64][]event.Task, error) {
	return nil, unsupported("find socket holders")
}

// Close does nothing.
func (s *Endings) Close() error { return nil }

// Netns is not supported here.
func Netns(string) (uint32, error) { return 0, unsupported("find network namespace") }

// Cgroup is not supported here.
func Cgroup(string) (uint64, error) { return 0, unsupported("find cgroup") }

// Container is not supported here.
func Container(string) (uint64, error) { return 0, unsupported("find container") }
