package live

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// barrier asks the marker thread to settle what is on its way.
type barrier struct {
	ctx  context.Context
	done chan error
}

// round is one marker through every CPU's backlog.
type round struct {
	id    uint64
	left  int           // markers not yet captured
	quiet bool          // nothing else was captured since the round before
	back  chan struct{} // closed when all are
}

const (
	stopRound = math.MaxUint64 // the marker that ends the reader

	// roundTimeout is when a round counts as lost (the capture's buffer was full) and is sent
	// again.
	roundTimeout = 250 * time.Millisecond

	// maxRounds bounds a barrier in traffic that never rests.
	maxRounds = 1000
)

// Barrier returns when everything that was on its way when it was called has been received by
// the TCP stack and handed to the sink; after the first one the capture is known to run.
//
// On the loopback a sent segment lies in the sending CPU's backlog until a softirq delivers it,
// first in, first out. So a marker is sent from every CPU, and when the capture has read them
// all, everything before them has been delivered. A delivered segment may have been answered
// behind the marker, so this repeats until nothing but markers was captured. It is no barrier
// to timers, to processes that go on sending, or to packet steering (RPS) on the loopback. In
// traffic that never rests it returns after many rounds, when only the first are certain.
//
// On any other interface it hands on what the kernel has buffered.
func (c *Capture) Barrier(ctx context.Context) error {
	if !c.started {
		return errors.New("wait for capture: it was not started")
	}
	if c.marker == nil {
		return c.drain(ctx)
	}
	b := barrier{ctx, make(chan error, 1)}
	select {
	case c.barriers <- b:
		return <-b.done
	case <-c.ended:
		return errors.Join(errEnded, c.err)
	case <-ctx.Done():
		return fmt.Errorf("wait for capture: %w", ctx.Err())
	}
}

// sendMarkers serves barriers on a thread of its own, which moves from CPU to CPU and is never
// given back to the runtime: the thread ends with the goroutine.
func (c *Capture) sendMarkers() {
	runtime.LockOSThread()
	cpus, err := allowedCPUs()
	var id uint64
	for {
		select {
		case b := <-c.barriers:
			if err != nil {
				b.done <- fmt.Errorf("send markers from every CPU: %w", err)
				continue
			}
			b.done <- c.untilQuiet(b.ctx, cpus, &id)
		case <-c.quit:
			return
		}
	}
}

// allowedCPUs returns every CPU that this thread may run on, whatever its affinity was: other
// processes may have sent from any of them.
func allowedCPUs() ([]int, error) {
	var all, allowed unix.CPUSet
	for i := range len(all) * 64 {
		all.Set(i)
	}
	// The kernel keeps of the full set what the cpuset allows.
	if err := unix.SchedSetaffinity(0, &all); err != nil {
		return nil, os.NewSyscallError("sched_setaffinity", err)
	}
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	var cpus []int
	for i := range len(allowed) * 64 {
		if allowed.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	return cpus, nil
}

func (c *Capture) untilQuiet(ctx context.Context, cpus []int, id *uint64) error {
	for range maxRounds {
		*id++
		r, err := c.sendRound(*id, cpus)
		if err != nil {
			return fmt.Errorf("send marker: %w", err)
		}
		lost := time.NewTimer(roundTimeout)
		select {
		case <-r.back:
			lost.Stop()
			if r.quiet {
				return nil
			}
		case <-lost.C:
		case <-c.ended:
			lost.Stop()
			return errors.Join(errEnded, c.err)
		case <-ctx.Done():
			lost.Stop()
			return fmt.Errorf("wait for marker: %w", ctx.Err())
		}
	}
	return nil
}

func (c *Capture) sendRound(id uint64, cpus []int) (*round, error) {
	r := &round{id: id, left: len(cpus), back: make(chan struct{})}
	c.mu.Lock()
	c.current = r
	c.mu.Unlock()
	for _, cpu := range cpus {
		var set unix.CPUSet
		set.Set(cpu)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			return nil, fmt.Errorf("move to CPU %d: %w", cpu, err)
		}
		if err := c.marker.send(id); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// markerBack notes a captured marker. The reader calls it.
func (c *Capture) markerBack(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.current
	if r == nil || r.id != id {
		return
	}
	if r.left--; r.left == 0 {
		r.quiet = !c.fresh
		c.fresh = false
		c.current = nil
		close(r.back)
	}
}
