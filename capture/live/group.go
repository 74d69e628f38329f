package live

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/closecap/closecap/analyze/event"
)

// Group is captures on several interfaces that go to one sink.
type Group struct {
	captures []*Capture
	mu       sync.Mutex
}

// OpenAll opens a capture on each named interface, on every interface that is up when none is
// named. What Open says of errors holds.
func OpenAll(names []string, opt Options) (*Group, error) {
	if len(names) == 0 {
		all, err := net.Interfaces()
		if err != nil {
			return nil, err
		}
		for _, ifi := range all {
			if ifi.Flags&net.FlagUp != 0 {
				names = append(names, ifi.Name)
			}
		}
	}
	g := &Group{}
	for _, name := range names {
		opt.Interface = name
		c, err := Open(opt)
		if err != nil {
			_, _ = g.Stop()
			return nil, err
		}
		g.captures = append(g.captures, c)
	}
	return g, nil
}

// Interfaces names what is captured; a packet's Interface is an index into it.
func (g *Group) Interfaces() []string {
	names := make([]string, len(g.captures))
	for i, c := range g.captures {
		names[i] = c.Interface()
	}
	return names
}

// Start begins to hand packets to sink, one at a time. Their Frame counts within their
// interface.
func (g *Group) Start(sink func(*event.Packet)) {
	for i, c := range g.captures {
		c.Start(func(p *event.Packet) {
			p.Interface = uint32(i)
			g.mu.Lock()
			defer g.mu.Unlock()
			sink(p)
		})
	}
}

// Narrow is Capture.Narrow on all of them.
func (g *Group) Narrow(only []netip.AddrPort) error {
	var errs []error
	for _, c := range g.captures {
		errs = append(errs, c.Narrow(only))
	}
	return errors.Join(errs...)
}

// Stats is Capture.Stats of all of them, summed.
func (g *Group) Stats() (Stats, error) {
	var sum Stats
	var errs []error
	for _, c := range g.captures {
		s, err := c.Stats()
		sum.add(s)
		errs = append(errs, err)
	}
	return sum, errors.Join(errs...)
}

// Barrier is Capture.Barrier on all of them.
func (g *Group) Barrier(ctx context.Context) error {
	var errs []error
	for _, c := range g.captures {
		errs = append(errs, c.Barrier(ctx))
	}
	return errors.Join(errs...)
}

// Stop is Capture.Stop on all of them; the counts are summed.
func (g *Group) Stop() (Stats, error) {
	var sum Stats
	var errs []error
	for _, c := range g.captures {
		s, err := c.Stop()
		sum.add(s)
		errs = append(errs, err)
	}
	return sum, errors.Join(errs...)
}
