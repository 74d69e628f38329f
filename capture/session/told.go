package session

import (
	"cmp"
	"slices"
	"time"
	"unsafe"

	"github.com/closecap/closecap/analyze/event"
)

// strange is how long an event of the kernel's may come before it is known that its connection is the program's.
const strange = 2 * time.Second

// maxUnsorted bounds the events that wait for that.
const maxUnsorted = 1 << 16

// toldSize is about what an event takes.
const toldSize = int(unsafe.Sizeof(event.KernelEvent{}) + unsafe.Sizeof(event.Endpoint{}) + 2*unsafe.Sizeof(event.Task{}))

// Told takes what the kernel has told until now, of whoever's connections: those of the program are kept. It may be
// called concurrently with Packet, Call and Socket.
func (s *Session) Told(events []event.KernelEvent, now event.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsorted = append(s.unsorted, events...)
	s.sort(now)
}

// sort gives each event its connection, and leaves out those that have waited for one in vain.
func (s *Session) sort(now event.Time) {
	s.unsorted = slices.DeleteFunc(s.unsorted, func(k event.KernelEvent) bool {
		local, remote := k.Ends()
		c := s.ends[event.PairOf(local, remote)]
		if k.Release != nil {
			c = s.held[k.Release.Socket]
		}
		if c == nil {
			return now.Sub(k.When()) > strange
		}
		s.told(c, k)
		return true
	})
	if n := len(s.unsorted) - maxUnsorted; n > 0 {
		s.unsorted = slices.Delete(s.unsorted, 0, n)
		s.untold += n
	}
}

func (s *Session) told(c *conn, k event.KernelEvent) {
	if s.kept > maxKept || s.heard >= event.MaxKernel {
		s.untold++
		return
	}
	s.heard, s.kept = s.heard+1, s.kept+toldSize
	c.told = append(c.told, k)
	switch {
	case k.Endpoint != nil && k.Endpoint.Held:
		s.held[k.Endpoint.Socket] = c
	case k.Release != nil:
		delete(s.held, k.Release.Socket)
	}
}

// forgetTold lets go of what was told of c.
func (s *Session) forgetTold(c *conn) {
	s.heard, s.kept = s.heard-len(c.told), s.kept-len(c.told)*toldSize
	for _, k := range c.told {
		if k.Endpoint != nil && s.held[k.Endpoint.Socket] == c {
			delete(s.held, k.Endpoint.Socket)
		}
	}
}

func sortTold(told []event.KernelEvent) {
	slices.SortStableFunc(told, func(a, b event.KernelEvent) int { return cmp.Compare(a.When(), b.When()) })
}
