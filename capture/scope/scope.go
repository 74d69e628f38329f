// Package scope picks the packets of one program out of all that pass an interface.
//
// A connection is the program's when its whole 4-tuple is, or when it goes to a port on which the
// program listens; a local port alone says nothing, since Linux gives one to several connections at
// once. What the tracer says of a socket comes before the socket's packets. Only for a connect from a
// port not yet chosen it does not: handshakes to where such a connect goes are kept, within bounds,
// until it has returned.
//
// It reads headers, holds no packet that is the program's, and judges nothing.
package scope

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/decode"
	"github.com/closecap/closecap/capture/trace"
)

// Scope is what is known of a program's sockets. Its methods may be called concurrently.
type Scope struct {
	keep   func(*event.Packet, *event.Segment)
	narrow func([]netip.AddrPort) error

	mu        sync.Mutex
	decoder   *decode.Decoder
	own       map[event.Pair]netip.AddrPort // the server of each of the program's connections
	listeners map[netip.AddrPort]*listener
	sockets   map[uint64]trace.Socket
	asked     map[netip.AddrPort]int // connects on their way, by where they go
	servers   map[netip.AddrPort]int // what the kernel's filter is to keep, by how many need it
	unseen    bool
	held      handshakes
	failed    error // of narrow
}

// lag is more than what a packet takes from the wire to here.
const lag = 10 * time.Second

// listener is one port of the program's, for one or more sockets.
type listener struct {
	sockets int
	until   event.Time // when the last of them was closed; its packets may be read later
}

// New returns a Scope that hands the program's packets to keep and asks narrow to let no others come
// than those from and to some endpoints. keep must not call the Scope; the packet is its own.
func New(keep func(*event.Packet, *event.Segment), narrow func([]netip.AddrPort) error) *Scope {
	return &Scope{
		keep: keep, narrow: narrow, decoder: decode.New(),
		own: map[event.Pair]netip.AddrPort{}, listeners: map[netip.AddrPort]*listener{},
		sockets: map[uint64]trace.Socket{}, asked: map[netip.AddrPort]int{}, servers: map[netip.AddrPort]int{},
	}
}

// Packet takes the next packet of the capture.
func (s *Scope) Packet(p *event.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var seg event.Segment
	if s.decoder.Segment(p, &seg) != decode.TCP {
		return
	}
	pair := event.PairOf(seg.Src, seg.Dst)
	if _, ok := s.own[pair]; !ok && !s.accepted(pair, &seg) {
		syn := seg.Flags.Has(event.SYN) && !seg.Flags.Has(event.ACK)
		s.held.add(pair, p, &seg, syn && (s.unseen || s.wanted(seg.Dst)))
		return
	}
	s.keep(p, &seg)
}

// accepted reports whether the segment goes to, or comes from, a listener of the program's. If so, the
// connection is the program's from now on.
func (s *Scope) accepted(pair event.Pair, seg *event.Segment) bool {
	for _, end := range [...]netip.AddrPort{seg.Dst, seg.Src} {
		for _, at := range event.Everywhere(end) {
			if l := s.listeners[at]; l != nil && (l.sockets > 0 || seg.Time <= l.until) {
				s.add(pair, at)
				return true
			}
		}
	}
	return false
}

// wanted reports whether a connect is on its way to a.
func (s *Scope) wanted(a netip.AddrPort) bool {
	for _, at := range event.Everywhere(a) {
		if s.asked[at] > 0 {
			return true
		}
	}
	return false
}

// Socket takes what the tracer says of a socket.
func (s *Scope) Socket(n trace.Socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.State == trace.Unseen {
		s.unseen = true
		s.refilter()
		return
	}
	was := s.sockets[n.Cookie]
	s.sockets[n.Cookie] = n
	// The new before the old, so that what both need is never without filter.
	switch n.State {
	case trace.Connecting:
		s.asked[n.Remote]++
		s.need(n.Remote)
	case trace.Connected:
		s.connected(n)
	case trace.Listening:
		if s.listeners[n.Local] == nil {
			s.listeners[n.Local] = &listener{}
		}
		s.listeners[n.Local].sockets++
		s.need(n.Local)
	case trace.Closed:
		delete(s.sockets, n.Cookie)
	}
	switch was.State {
	case trace.Connecting:
		if s.asked[was.Remote]--; s.asked[was.Remote] == 0 {
			delete(s.asked, was.Remote)
			s.held.drop(was.Remote)
		}
		s.release(was.Remote)
	case trace.Listening:
		if l := s.listeners[was.Local]; l != nil {
			l.sockets--
			l.until = event.Time(time.Now().UnixNano())
		}
		s.release(was.Local)
	}
}

// connected makes the connection the program's, with what is held of it.
func (s *Scope) connected(n trace.Socket) {
	pair := event.PairOf(n.Local, n.Remote)
	if _, ok := s.own[pair]; !ok {
		server := n.Remote
		for _, at := range event.Everywhere(n.Local) {
			if s.listeners[at] != nil {
				server = at
			}
		}
		s.add(pair, server)
	}
	s.held.take(pair, s.keep)
}

func (s *Scope) add(pair event.Pair, server netip.AddrPort) {
	s.own[pair] = server
	s.need(server)
}

// Forget says that nothing more is wanted of a connection.
func (s *Scope) Forget(pair event.Pair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if server, ok := s.own[pair]; ok {
		delete(s.own, pair)
		s.release(server)
	}
	for at, l := range s.listeners {
		if l.sockets == 0 && s.servers[at] == 0 && time.Since(time.Unix(0, int64(l.until))) > lag {
			delete(s.listeners, at)
		}
	}
}

// need makes the kernel's filter keep what comes from and goes to an endpoint.
func (s *Scope) need(a netip.AddrPort) {
	s.servers[a]++
	if s.servers[a] == 1 {
		s.refilter()
	}
}

// release takes back a need. What no one needs leaves the filter when it changes next.
func (s *Scope) release(a netip.AddrPort) {
	if s.servers[a]--; s.servers[a] == 0 {
		delete(s.servers, a)
	}
}

func (s *Scope) refilter() {
	all := make([]netip.AddrPort, 0, len(s.servers)+1)
	for a := range s.servers {
		all = append(all, a)
	}
	if s.unseen {
		all = append(all, netip.AddrPort{}) // port 0 is every port
	}
	if err := s.narrow(all); err != nil {
		s.failed = err
	}
}

// Lost returns how many packets of the program were not kept, and what else may be missing.
func (s *Scope) Lost() (packets uint64, warnings []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		warnings = append(warnings, fmt.Sprintf("packets may be missing: %v", s.failed))
	}
	if s.held.full && !s.unseen {
		warnings = append(warnings, fmt.Sprintf("other programs began more than %d connections to the same servers while a connect was on its way: beginnings may be missing", maxHandshakes))
	}
	return s.held.lost, warnings
}
