// Package sockets says which TCP sockets of a machine are ending or stuck, what each waits for and
// what ends it: from the kernel's list of them (sock_diag), its settings and who holds which.
//
// It asks nobody: capture/kernel gathers. What a socket did before the list was made is not known,
// so an age has a least and a most. Words are package report's.
package sockets

import (
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
)

// Evidence is what the kernel says of all sockets of one network namespace at one time.
type Evidence struct {
	Time    event.Time
	Sockets []event.Socket

	// Settings are sysctls of net.ipv4 by name, Counters the namespace's since it was made. One
	// that is not known is absent.
	Settings map[string]int64
	Counters map[string]int64

	Ports   Ports // ip_local_port_range; 0 for not known
	Refused int   // processes that were not to be looked into
}

// Listing is the sockets that are ending or stuck, the worst first.
type Listing struct {
	Schema   int              `json:"schema"`
	Tool     string           `json:"tool"`
	Time     event.Time       `json:"time"`
	States   map[string]int   `json:"states"`
	Sockets  []Socket         `json:"sockets"`
	Settings map[string]int64 `json:"settings"`
	Counters map[string]int64 `json:"counters"`
	Ports    Ports            `json:"ephemeral_ports"`
	Unseen   Unseen           `json:"unseen"`
}

// Ports is the range that connect chooses local ports from, both included.
type Ports struct {
	Low  uint16 `json:"low"`
	High uint16 `json:"high"`
}

// Size returns how many there are, 0 when that is not known.
func (p Ports) Size() int {
	if p.High == 0 || p.High < p.Low {
		return 0
	}
	return int(p.High) - int(p.Low) + 1
}

func (p Ports) holds(port uint16) bool { return port >= p.Low && port <= p.High }

// Unseen counts the listed sockets that some process has, which is not known.
type Unseen struct {
	NotAllowed int `json:"not_allowed"` // processes were not to be looked into
	NotFound   int `json:"not_found"`   // no descriptor leads there: another pid namespace, in flight, io_uring
}

// Socket is a row of the listing: a socket, or the TIME_WAITs that belong together.
type Socket struct {
	ID       int            `json:"id"`
	OtherEnd int            `json:"other_end,omitempty"` // the row of the connection's other end, on this machine too
	Trouble  Trouble        `json:"trouble"`
	State    event.TCPState `json:"state"`
	Local    netip.AddrPort `json:"local"`  // port 0 in a group: any of them
	Remote   netip.AddrPort `json:"remote"` // invalid in a group of many peers, and of a listener
	Count    int            `json:"count"`  // sockets that the row stands for

	Holders []event.SocketHolder `json:"holders"`
	Hidden  bool                 `json:"hidden,omitempty"` // some process has it, which is not known
	Orphan  bool                 `json:"orphan,omitempty"` // no process has it
	UID     uint32               `json:"uid"`

	Age     *Age   `json:"age,omitempty"`
	Unread  int    `json:"unread"`
	EndRead bool   `json:"end_read,omitempty"`
	Unacked int    `json:"unacked"`
	Unsent  int    `json:"unsent,omitempty"`
	Timer   string `json:"timer,omitempty"`
	LeftNS  int64  `json:"left_ns,omitempty"`
	Resent  int    `json:"resent,omitempty"`
	QuietNS int64  `json:"quiet_ns,omitempty"`

	Waiting int `json:"waiting,omitempty"`
	Backlog int `json:"backlog,omitempty"`

	// PortsUsed are the ephemeral ports that connections in any state take from Local's address
	// to Remote; of a group of TIME_WAITs at the connecting end alone.
	PortsUsed int `json:"ports_used,omitempty"`

	Ends     []End  `json:"ends"`
	Explains string `json:"explains,omitempty"`
}

// Age is how long a socket has been in its state, as far as the kernel's times bound it.
type Age struct {
	LeastNS int64 `json:"least_ns"`
	MostNS  int64 `json:"most_ns"`
}

// End is something that ends a socket's wait.
type End struct {
	By      Ender  `json:"by"`
	Setting string `json:"setting,omitempty"` // the sysctl that bounds it, or the kernel's constant
	LeftNS  int64  `json:"left_ns,omitempty"` // until then, at most
	Retries int    `json:"retries,omitempty"` // that are left before it, about; not known without LeftNS
}

// Ender is who ends it.
type Ender string

// Who ends a wait.
const (
	ByClose   Ender = "close"   // the application that holds it
	ByAccept  Ender = "accept"  // the application that listens
	ByPeer    Ender = "peer"    // a segment of the peer's
	ByTimer   Ender = "timer"   // when LeftNS is over
	ByRetries Ender = "retries" // the kernel gives up sending again
)

// Trouble is why a socket is listed.
type Trouble string

// What is the matter with a socket.
const (
	AcceptQueueFull Trouble = "accept-queue-full"
	NotClosed       Trouble = "not-closed"
	NotAccepted     Trouble = "not-accepted"
	NotAcknowledged Trouble = "not-acknowledged"
	WindowClosed    Trouble = "window-closed"
	HeldBack        Trouble = "held-back"
	PeerNotClosed   Trouble = "peer-not-closed"
	Closing         Trouble = "closing"
	OrphanWaits     Trouble = "orphan-waits"
	InTimeWait      Trouble = "time-wait"
	NoTrouble       Trouble = "none"
)
