package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/kernel"
)

// Capture is an open capture. It is started once and stopped once.
type Capture struct {
	name    string
	snapLen int
	handle  *handle
	marker  *marker // nil on an interface other than the loopback

	asked    atomic.Uint64 // drains asked for
	stopping atomic.Bool
	barriers chan barrier  // to the thread that sends markers
	quit     chan struct{} // closed to end that thread
	sender   sync.WaitGroup
	started  bool
	ended    chan struct{} // closed when the reader has returned
	err      error         // of the reader; read it after ended
	received uint64        // reader's own; read it after ended

	mu      sync.Mutex
	current *round        // markers on their way
	drained uint64        // drains done
	idle    chan struct{} // closed and replaced when drained grows
	fresh   bool          // a packet came since the last round was back
}

// Open opens the interface and starts to buffer what it sees. It needs CAP_NET_RAW, only here and
// only permitted; the error wraps os.ErrPermission without.
func Open(opt Options) (*Capture, error) {
	ifi, err := findInterface(opt.Interface)
	if err != nil {
		return nil, err
	}
	c := &Capture{
		name:     ifi.Name,
		snapLen:  opt.snapLen(),
		barriers: make(chan barrier),
		quit:     make(chan struct{}),
		ended:    make(chan struct{}),
		idle:     make(chan struct{}),
	}
	if ifi.Flags&net.FlagLoopback != 0 {
		if c.marker, err = openMarker(); err != nil {
			return nil, hint.With(fmt.Errorf("open capture on %s: %w", ifi.Name, err),
				"is the loopback up? try: ip link set lo up")
		}
	}
	err = kernel.WithNetRaw(func() error {
		if err := mayCapture(); err != nil {
			return err
		}
		return keptFromChildren(func() (err error) {
			c.handle, err = openHandle(ifi, opt, c.marker)
			return err
		})
	})
	if err != nil {
		if c.marker != nil {
			c.marker.close()
		}
		return nil, fmt.Errorf("open capture on %s: %w", ifi.Name, err)
	}
	return c, nil
}

func findInterface(name string) (*net.Interface, error) {
	if name == "any" {
		return &net.Interface{Name: name}, nil
	}
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	for _, ifi := range all {
		if ifi.Name == name || name == "" && ifi.Flags&net.FlagLoopback != 0 {
			return &ifi, nil
		}
	}
	if name == "" {
		return nil, errors.New("find loopback: this network namespace has none")
	}
	return nil, hint.With(fmt.Errorf("find interface %s: %w", name, os.ErrNotExist),
		"ip link lists the interfaces")
}

// mayCapture asks the kernel itself: libpcap's refusal comes as text.
func mayCapture() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return hint.With(os.NewSyscallError("socket", err),
			"capturing needs CAP_NET_RAW: use sudo, or setcap cap_net_raw+ep on the program")
	}
	unix.Close(fd)
	return nil
}

// Interface returns the name of the interface, "lo" for most loopbacks.
func (c *Capture) Interface() string { return c.name }

// Start begins to hand every packet to sink, in the order of capture, from one goroutine of the
// Capture's own. Packets that came since Open are among them. Frames count from 1; the packet is
// the sink's to keep.
func (c *Capture) Start(sink func(*event.Packet)) {
	c.started = true
	if c.marker != nil {
		c.sender.Go(c.sendMarkers)
	}
	go func() {
		defer close(c.ended)
		c.err = c.read(sink)
	}()
}

func (c *Capture) read(sink sink) error {
	link := c.handle.linkType()
	var drained uint64
	for {
		// Read before the buffer is looked at, so that an empty one answers them.
		asked, stopping := c.asked.Load(), c.stopping.Load()
		wait := asked == drained && !stopping
		p, err := c.handle.next(wait)
		if errors.Is(err, errEmpty) {
			if !wait {
				drained = asked
				c.drainedTo(asked)
			}
			if stopping {
				return nil
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("read capture: %w", err)
		}
		if c.marker != nil {
			if n, ok := c.marker.round(p.Data); ok {
				if n == stopRound {
					return nil
				}
				c.markerBack(n)
				continue
			}
		}
		c.mu.Lock()
		c.fresh = true
		c.mu.Unlock()
		c.received++
		p.Frame = c.received
		p.LinkType = link
		sink(p)
	}
}

// errEmpty says that the kernel's buffer held nothing more when it was looked at last.
var errEmpty = errors.New("nothing buffered")

// drainedTo records that everything buffered before the asked-th request has been read.
func (c *Capture) drainedTo(asked uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drained = asked
	close(c.idle)
	c.idle = make(chan struct{})
}

// drain waits until everything that was buffered when it was called has been read.
func (c *Capture) drain(ctx context.Context) error {
	want := c.asked.Add(1)
	c.handle.wake()
	for {
		c.mu.Lock()
		done, idle := c.drained >= want, c.idle
		c.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-idle:
		case <-c.ended:
			return errors.Join(errEnded, c.err)
		case <-ctx.Done():
			return fmt.Errorf("drain capture: %w", ctx.Err())
		}
	}
}

var errEnded = errors.New("the capture has ended")

// Stats counts what the capture missed so far. Received is counted only in the end, by Stop.
// It is not for concurrent use, nor beside Stop.
func (c *Capture) Stats() (Stats, error) { return c.handle.stats() }

// Stop reads what is buffered, ends the capture, waits for its goroutines and releases it. The
// sink is not called again. A Capture that never started is only released.
func (c *Capture) Stop() (Stats, error) {
	c.stopping.Store(true)
	close(c.quit)
	if c.started {
		c.handle.wake()
		if c.marker != nil {
			// A marker that cannot be sent leaves the reader to find the buffer empty.
			_ = c.marker.send(stopRound)
		}
		<-c.ended
		c.sender.Wait()
	}
	s, err := c.handle.stats()
	s.Received = c.received
	c.handle.close()
	if c.marker != nil {
		c.marker.close()
	}
	return s, errors.Join(c.err, err)
}
