package bpf

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
)

// Attached is a set of programs in the kernel, and the ring buffer in which they tell what they see.
type Attached struct {
	programs *ebpf.Collection
	// links keep the programs attached: one that the garbage collector finds is closed.
	links     []link.Link
	holders   *link.Iter // nil where the kernel has none
	noHolders error      // why
	ring      *ringbuf.Reader
	record    ringbuf.Record
	damaged   uint64
}

// attach attaches the loaded programs. That nobody can be asked who holds a socket is noHolders, and no
// error.
func (a *Attached) attach() error {
	for name, p := range a.programs.Programs {
		if name == "holders" {
			if a.holders, a.noHolders = link.AttachIter(link.IterOptions{Program: p}); a.noHolders == nil {
				a.links = append(a.links, a.holders)
			}
			continue
		}
		l, err := link.AttachTracing(link.TracingOptions{Program: p})
		if err != nil {
			return fmt.Errorf("attach %s: %w", name, err)
		}
		a.links = append(a.links, l)
	}
	var err error
	if a.ring, err = ringbuf.NewReader(a.programs.Maps["events"]); err != nil {
		return fmt.Errorf("open ring buffer: %w", err)
	}
	return nil
}

// poll hands over the records that come within d, each good until the next. One that take can't read is
// counted as damaged.
func (a *Attached) poll(d time.Duration, take func(b []byte) error) error {
	a.ring.SetDeadline(time.Now().Add(d))
	for {
		err := a.ring.ReadInto(&a.record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read kernel events: %w", err)
		}
		if take(a.record.RawSample) != nil {
			a.damaged++
		}
	}
}

// Losses returns what was lost since the programs were attached.
func (a *Attached) Losses() Losses {
	l := Losses{Damaged: a.damaged}
	for name, n := range map[string]*uint64{"ring_full": &l.RingFull, "no_record": &l.NoRecord, "untold": &l.Untold} {
		if v := a.programs.Variables[name]; v != nil {
			_ = v.Get(n) // a kernel that refuses this without privileges is older than those that this reads by mmap
		}
	}
	for _, p := range a.programs.Programs {
		if stats, err := p.Stats(); err == nil {
			l.Recursion += stats.RecursionMisses
		}
	}
	return l
}

// Close detaches the programs; the kernel frees them and their records.
func (a *Attached) Close() error {
	var errs []error
	if a.ring != nil {
		errs = append(errs, a.ring.Close())
	}
	for _, l := range a.links {
		errs = append(errs, l.Close())
	}
	a.programs.Close()
	return errors.Join(errs...)
}
