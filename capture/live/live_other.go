//go:build !linux

package live

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"runtime"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
)

// Capture is an open capture.
type Capture struct{}

// Open is not supported here.
func Open(opt Options) (*Capture, error) {
	return nil, hint.With(
		fmt.Errorf("open capture on %s: %w", runtime.GOOS, errors.ErrUnsupported),
		"capture with tcpdump or Wireshark and read the file: closecap analyze FILE")
}

// Start does nothing.
func (c *Capture) Start(sink sink) {}

// Barrier does nothing.
func (c *Capture) Barrier(ctx context.Context) error { return errors.ErrUnsupported }

// Narrow does nothing.
func (c *Capture) Narrow(only []netip.AddrPort) error { return errors.ErrUnsupported }

// Stats does nothing.
func (c *Capture) Stats() (Stats, error) { return Stats{}, errors.ErrUnsupported }

// Stop does nothing.
func (c *Capture) Stop() (Stats, error) { return Stats{}, errors.ErrUnsupported }

// Interface returns "".
func (c *Capture) Interface() string { return "" }

// Source is a capture as a source of records.
type Source struct{}

// Source returns one that has none.
func (c *Capture) Source(ctx context.Context) *Source { return &Source{} }

// Records is not supported here.
func (s *Source) Records(ctx context.Context) iter.Seq2[*event.Record, error] {
	return func(yield func(*event.Record, error) bool) { yield(nil, errors.ErrUnsupported) }
}

// LinkTypes returns nil.
func (s *Source) LinkTypes() []uint16 { return nil }

// Dropped returns 0.
func (s *Source) Dropped() uint64 { return 0 }
