// Package kernel asks the kernel about TCP and about this process: states, timers and queues
// (sock_diag), the Tcp and TcpExt counters, who holds a socket, and the private network
// namespace in which a run needs no privilege and disturbs nobody.
//
// It reads and reports; what the answers mean is package analyze's. Packets are capture/live's.
//
// Instead of vishvananda/netlink, whose SocketGet walks every socket of the namespace, sock_diag
// is asked for one endpoint by its exact addresses over one socket that stays open: a question
// costs microseconds, and a run asks two after every call.
package kernel

import (
	"net/netip"

	"closecap/analyze/event"
)

// Socket is one TCP socket of this network namespace as sock_diag lists it.
type Socket struct {
	event.Sample
	Inode  uint64 // 0 when no process holds it
	Cookie uint64 // as SO_COOKIE gives it; 0 for TIME_WAIT and half-open entries
	UID    uint32

	// Queue and QueueMax are a listener's: connections that wait to be accepted, and how many
	// may. RecvQ and SendQ are 0 then.
	Queue, QueueMax int
}

// IsListener reports whether s listens, which leaves Remote without a port.
func (s *Socket) IsListener() bool { return s.State == event.Listen }

// HolderOptions narrow a search for holders. The zero value searches every process.
type HolderOptions struct {
	PIDs       []int // only these processes
	ExceptSelf bool  // leave out the calling process
}

// unmap returns a with an IPv4-mapped address turned into IPv4.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
