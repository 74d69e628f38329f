package live

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

const (
	// handOnEvery is how long packets, and the news that there were none, wait to be handed on.
	handOnEvery = 50 * time.Millisecond
	// maxQueued bounds the packets between the kernel's buffer, which takes the bursts, and who reads.
	maxQueued = 4096
	// settleTime bounds the wait for what was on its way when the context ended.
	settleTime = time.Second
)

// Source is a capture as a source of records (intake.Source), which ends when its context does.
type Source struct {
	capture *Capture
	until   context.Context
	links   []uint16
	dropped atomic.Uint64
}

// Source makes an open capture a source of records: what is captured until ctx ends. Its Records
// starts and stops c; whoever does not call it stops c.
func (c *Capture) Source(ctx context.Context) *Source {
	return &Source{capture: c, until: ctx, links: []uint16{c.handle.linkType()}}
}

// Records hands out the packets as they are captured, and between them, every 50 ms, two nils. It
// ends, with all that was on its way, when the Source's context does, and at once when ctx does.
func (s *Source) Records(ctx context.Context) iter.Seq2[*event.Record, error] {
	return func(yield func(*event.Record, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		packets := make(chan *event.Packet, maxQueued)
		s.capture.Start(func(p *event.Packet) { packets <- p })
		var failed error
		go func() {
			defer close(packets)
			failed = s.wait(ctx)
		}()
		defer func() {
			cancel()
			for range packets { // the capture ends once they are taken from it
			}
		}()
		tick := time.NewTicker(handOnEvery)
		defer tick.Stop()
		var rec event.Record
		for next := true; next; {
			select {
			case p, more := <-packets:
				if !more {
					if failed != nil {
						yield(nil, failed)
					}
					return
				}
				rec.Packet = *p
				next = yield(&rec, nil)
			case <-tick.C:
				next = yield(nil, nil)
			}
		}
	}
}

// wait counts what is lost until the capture is to end, and ends it.
func (s *Source) wait(ctx context.Context) error {
	tick := time.NewTicker(handOnEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if stats, err := s.capture.Stats(); err == nil { // Stop says what is wrong with it
				s.count(stats)
			}
			continue
		case <-s.until.Done():
			settle, cancel := context.WithTimeout(ctx, settleTime)
			_ = s.capture.Barrier(settle) // what is still on its way then is not captured
			cancel()
		case <-ctx.Done():
		case <-s.capture.ended:
		}
		stats, err := s.capture.Stop()
		s.count(stats)
		return err
	}
}

func (s *Source) count(stats Stats) { s.dropped.Store(stats.Dropped + stats.InterfaceDropped) }

// LinkTypes returns the LINKTYPE_ value of the interface.
func (s *Source) LinkTypes() []uint16 { return s.links }

// Dropped returns how many packets were lost so far. It may be called at any time.
func (s *Source) Dropped() uint64 { return s.dropped.Load() }
