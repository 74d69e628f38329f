package event

// Socket is a TCP socket of a network namespace as the kernel lists it (sock_diag(7)).
type Socket struct {
	Sample // of a listener both queues are 0: see Waiting

	Inode  uint64 // 0 where no descriptor exists: closed, or not yet accepted
	Cookie uint64 // SO_COOKIE; the kernel gives no two sockets the same
	UID    uint32 // who made it

	// EndRead says, of a socket whose peer sent FIN, that the application has read to the end:
	// its recv has returned 0.
	EndRead bool

	// Waiting are the connections that a listener has and nobody accepted, Backlog is what
	// listen(2) allows. The queue is full with one more than that.
	Waiting, Backlog int

	Info *TCPInfo // nil where the kernel keeps none: TIME_WAIT, SYN_RECV, an orphan in FIN_WAIT2

	// Holders are the descriptors that refer to it, as far as this process may look into others.
	Holders []SocketHolder
}

// SocketHolder is a descriptor of a process.
type SocketHolder struct {
	PID  int    `json:"pid"`
	FD   int    `json:"fd"`
	Comm string `json:"comm"` // may hold hostile bytes
}

// TCPInfo is what of struct tcp_info (linux/tcp.h) tells how a socket comes to its end. Times are
// in nanoseconds before the sample's.
type TCPInfo struct {
	RTO     int64 // the retransmission timeout, grown by Backoff doublings but while probes of a window are sent
	Backoff int
	Unsent  int // bytes in the send queue that were never sent
	Window  int // bytes that the peer has room for; 0 also on kernels before 5.4
	MSS     int // bytes of payload that a segment may carry

	LastSent     int64 // since payload was last sent, first or again
	LastReceived int64 // since payload last came
	LastACK      int64 // since a segment last acknowledged anything; the peer's FIN counts
}
