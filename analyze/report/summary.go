package report

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

const (
	maxEndpoints = 4096 // server endpoints counted apart
	maxClients   = 64   // client addresses counted apart for each of them
)

// summary counts what many connections have in common. Its memory is bounded: past maxEndpoints
// server endpoints, further ones are counted together.
type summary struct {
	connections uint64
	first, last event.Time
	timeWait    time.Duration // how long an end stays in it
	endings     map[analyze.Ending]uint64
	closers     map[analyze.Side]uint64
	together    uint64 // simultaneous closes
	causes      map[resetKey]uint64
	servers     map[netip.AddrPort]*endpoint
	others      endpoint // all servers past the limit
	lost        analyze.Lost
	losers      uint64 // connections that lost bytes
	doubted     uint64 // connections whose ending or reset cause is not certain
	warned      uint64 // connections with warnings
	onWay       onWay
	found       findings
}

// resetKey is a reset's cause and sender.
type resetKey struct {
	cause analyze.ResetCause
	by    analyze.Side
}

// endpoint counts the connections to one server address and port.
type endpoint struct {
	address     netip.AddrPort
	connections uint64
	clientHeld  uint64 // stays in TIME_WAIT on the client's side
	serverHeld  uint64

	// clients are the clients' stays by address, each at most folded too low (Misra and
	// Gries, 1982: what is frequent is certainly in it).
	clients map[netip.Addr]uint64
	folded  uint64

	bursts bursts
}

// newSummary returns a summary of no connections.
func newSummary(timeWait time.Duration) *summary {
	return &summary{timeWait: cmp.Or(timeWait, analyze.DefaultTimeWait), endings: map[analyze.Ending]uint64{}, closers: map[analyze.Side]uint64{},
		causes: map[resetKey]uint64{}, servers: map[netip.AddrPort]*endpoint{}}
}

// add counts c. It keeps nothing of it.
func (s *summary) add(c *analyze.Connection) {
	s.connections++
	if s.first == 0 || c.Start < s.first {
		s.first = c.Start
	}
	s.last = max(s.last, c.End)
	s.endings[c.Ending]++
	s.closers[c.Closer]++
	if c.Simultaneous {
		s.together++
	}
	if len(c.Warnings) > 0 {
		s.warned++
	}
	if doubt(c.Confidence, c.Ending == analyze.UnknownEnding) != "" ||
		c.Reset != nil && doubt(c.Reset.Confidence, c.Reset.Cause == analyze.UnknownCause) != "" {
		s.doubted++
	}
	if c.Reset != nil {
		s.causes[resetKey{c.Reset.Cause, c.Reset.By}]++
	}
	s.addLost(c.LostBytes())
	s.onWay.add(c)
	s.endpoint(c.Server).add(c)
	s.found.add(c)
}

func (s *summary) addLost(l analyze.Lost) {
	if l.Sum() > 0 {
		s.losers++
	}
	s.lost.Unacked += l.Unacked
	s.lost.Unread += l.Unread
	s.lost.AfterClose += l.AfterClose
	s.lost.Discarded += l.Discarded
	s.lost.Missing += l.Missing
}

func (s *summary) endpoint(a netip.AddrPort) *endpoint {
	if e := s.servers[a]; e != nil {
		return e
	}
	if len(s.servers) == maxEndpoints {
		return &s.others
	}
	e := &endpoint{address: a, clients: map[netip.Addr]uint64{}}
	s.servers[a] = e
	return e
}

func (e *endpoint) add(c *analyze.Connection) {
	e.connections++
	e.bursts.add(c)
	for _, t := range c.TimeWait {
		if t.Holder == analyze.Server {
			e.serverHeld++
			continue
		}
		e.clientHeld++
		if e.clients != nil {
			e.addClient(c.Client.Addr())
		}
	}
}

func (e *endpoint) addClient(a netip.Addr) {
	if _, known := e.clients[a]; known || len(e.clients) < maxClients {
		e.clients[a]++
		return
	}
	e.folded++
	for other, n := range e.clients {
		if n == 1 {
			delete(e.clients, other)
			continue
		}
		e.clients[other] = n - 1
	}
}

// busiest returns how many stays in TIME_WAIT the client with most of them held at most, and
// whether that is exact.
func (e *endpoint) busiest() (n uint64, exact bool) {
	for _, held := range e.clients {
		n = max(n, held)
	}
	return n + e.folded, e.folded == 0
}
