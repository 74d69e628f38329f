// Package endings judges how connections ended from what the kernel said of their endpoints and
// resets, without a packet. Where both ends live on one machine it joins them; of a peer elsewhere
// it says what the one end knows.
//
// It gives the same codes as package analyze does for packets, and the same meaning. It opens
// nothing and has no clock: a Tracker is told the time.
package endings

import (
	"net/netip"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Connection is a connection that ended.
type Connection struct {
	analyze.Connection
	Netns uint32   `json:"netns"` // of its client's end where that is known
	Tasks Tasks    `json:"tasks"`
	Seen  SeenEnds `json:"seen"`
	Stray bool     `json:"stray,omitempty"` // nothing but an RST was seen of it

	// Queued is a close of the end that was reset, whose FIN never left.
	Queued *QueuedFin `json:"queued_fin,omitempty"`
}

// QueuedFin is a FIN that waited behind data of its own end until an RST came.
type QueuedFin struct {
	By    analyze.Side `json:"by"`
	Task  *event.Task  `json:"task"`  // whose call queued it
	NS    int64        `json:"ns"`    // from the call to the RST
	Bytes uint64       `json:"bytes"` // that it waited behind
}

// Tasks are the processes of a connection; nil where the kernel did not say.
type Tasks struct {
	Client *event.Task `json:"client,omitempty"`
	Server *event.Task `json:"server,omitempty"`

	// Closer is the task and call that ended it: the close or shutdown that sent the first FIN, or
	// what reset it. By is that task's end. A timer or a kernel without a socket is nobody's call.
	Closer *event.Task  `json:"closer,omitempty"`
	By     analyze.Side `json:"by,omitempty"`
}

// Of returns the process of an end, nil when it is not known.
func (t *Tasks) Of(s analyze.Side) *event.Task {
	if s == analyze.Server {
		return t.Server
	}
	return t.Client
}

// SeenEnds says whose kernel took part.
type SeenEnds struct {
	Client bool `json:"client"`
	Server bool `json:"server"`
}

// Options bound and place a Tracker. The zero value works.
type Options struct {
	// Local reports whether an address is this machine's, so that the other end is waited for.
	// Loopback addresses and those that endpoints were seen with need no asking.
	Local func(netip.Addr) bool

	// State asks the kernel for an endpoint that no socket stands for any more; it returns
	// StateUnknown where it can't say. nil: nobody is asked.
	State func(netns uint32, local, remote netip.AddrPort) event.TCPState

	// Names: an event.Held is told of what Unnamed returns, within a second.
	Names bool

	// MaxWaiting bounds the connections of which one end is still open; past it the oldest is
	// judged by what is known. 0 means 65,536.
	MaxWaiting int
}

const (
	defaultMaxWaiting = 1 << 16
	// maxResets bounds the RSTs that are kept of one connection, maxSame the connections with the
	// same addresses that an event is compared with.
	maxResets, maxSame = 64, 64
	// settling is how long after its last event a connection may still get one that belongs to
	// it: an RST is told after the change of state that sends it.
	settling = 30 * time.Millisecond
	// asking is how often the kernel is asked for a peer's FIN that no tracepoint tells of.
	asking = time.Second
	// asked is when that is given up: FIN_WAIT2 without a socket lasts tcp_fin_timeout.
	asked = 65 * time.Second
	// released is how long a socket that has ended with unread data is waited for to be closed: programs do so
	// at once, or when they come to it.
	released = 2 * time.Second
	// named is how long it is waited for who has a socket that ended while it was held.
	named = 1500 * time.Millisecond
	// onItsWay is how long an RST may take.
	onItsWay = time.Second
	// remembered is how long an RST without a socket may follow a connection that has ended.
	remembered = 60 * time.Second
)
