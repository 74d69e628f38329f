package event

import "net/netip"

// KernelEvent is one thing that the kernel itself told of a socket: exactly one field is set.
type KernelEvent struct {
	Endpoint *Endpoint    `json:"endpoint,omitempty"`
	Reset    *KernelReset `json:"reset,omitempty"`
	Release  *Release     `json:"release,omitempty"`
	Held     *Held        `json:"held,omitempty"`
}

// When returns the time of what k tells.
func (k *KernelEvent) When() Time {
	switch {
	case k.Endpoint != nil:
		return k.Endpoint.Stop()
	case k.Reset != nil:
		return k.Reset.Time
	case k.Release != nil:
		return k.Release.Time
	case k.Held != nil:
		return k.Held.Time
	}
	return 0
}

// Ends returns the addresses of the socket that k is of; a Release and a Held have none.
func (k *KernelEvent) Ends() (local, remote netip.AddrPort) {
	switch {
	case k.Endpoint != nil:
		return k.Endpoint.Local, k.Endpoint.Remote
	case k.Reset != nil:
		return k.Reset.Local, k.Reset.Remote
	}
	return
}

// Endpoint is one end of a connection as its kernel knew it when it reached CLOSED, or went on
// as TIME_WAIT, which the kernel keeps without a socket.
type Endpoint struct {
	Socket uint64         `json:"socket"` // SO_COOKIE; a socket that is connected again keeps it
	Netns  uint32         `json:"netns"`  // inode of the network namespace
	UID    uint32         `json:"uid"`
	Cgroup uint64         `json:"cgroup,omitempty"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`

	Born      bool `json:"born"` // followed from its beginning; else it is older than the watching
	Connected bool `json:"connected,omitempty"`
	Accepted  bool `json:"accepted,omitempty"` // it came of a listener, whether or not accept took it
	HadFile   bool `json:"had_file,omitempty"` // a process had it as a descriptor
	Held      bool `json:"held,omitempty"`     // at the end a descriptor still stood

	Steps []Transition `json:"steps"` // in time order, the last is into Closed

	FinIn   bool `json:"fin_in,omitempty"`  // the peer's FIN was received
	ResetIn Time `json:"rst_in,omitzero"`   // when the peer's RST was received; 0 for never
	Linger  bool `json:"linger,omitempty"`  // SO_LINGER was on, for LingerTicks
	Linger2 int  `json:"linger2,omitempty"` // TCP_LINGER2 in the kernel's ticks; below 0 for none

	LingerTicks uint32 `json:"linger_ticks,omitempty"`

	Open *Task `json:"open,omitempty"` // who connected
	Fin  *Task `json:"fin,omitempty"`  // whose call sent the FIN
	End  *Task `json:"end,omitempty"`  // who ran when it reached Closed; the doer only with Owner

	Sent        uint64 `json:"sent"`     // payload bytes, each once
	Received    uint64 `json:"received"` // payload bytes, in order
	Unread      uint32 `json:"unread,omitempty"`
	Unacked     uint32 `json:"unacked,omitempty"` // payload sent and not acknowledged
	Unsent      uint32 `json:"unsent,omitempty"`  // payload that the application gave and that was not sent
	Retransmits uint32 `json:"retransmits,omitempty"`
	Timeouts    uint8  `json:"timeouts,omitempty"` // retransmissions in a row without an answer
	Probes      uint8  `json:"probes,omitempty"`   // keep-alives or window probes without an answer
	Errno       string `json:"errno,omitempty"`    // the error that the application is given

	// SoftErrno is an error, as an ICMP message brings, that did not end it: the application is given that only when
	// it asks (SO_ERROR) or nothing better comes. "" also where it has asked.
	SoftErrno string `json:"soft_errno,omitempty"`

	// ICMP is the last ICMP error that came for it while it was connecting, whether or not that ended it or the
	// application has asked for it; nil for none.
	ICMP *ICMPError `json:"icmp,omitempty"`
}

// ICMPError is an ICMP message as a socket takes it (RFC 792, RFC 4443).
type ICMPError struct {
	Type  uint8  `json:"type"`
	Code  uint8  `json:"code"`
	Errno string `json:"errno"`
}

// NeverRead returns how many of the bytes that e had received no application read, nor will. r is the release of e's
// socket, nil where none was told: then a socket that was held at its end may be read yet.
func (e *Endpoint) NeverRead(r *Release) uint64 {
	switch {
	case r != nil:
		return uint64(r.Unread)
	case e.Held:
		return 0
	}
	return uint64(e.Unread)
}

// Transition is an endpoint's entry into a state.
type Transition struct {
	State TCPState `json:"state"`
	Time  Time     `json:"time,omitzero"`   // 0 for a state that a socket was found in, or of which only the next change told
	Owned bool     `json:"owned,omitempty"` // inside a call on this socket, not by a segment or a timer
}

// Start returns when the endpoint was first seen to change, 0 when that is not known.
func (e *Endpoint) Start() Time {
	if len(e.Steps) == 0 {
		return 0
	}
	return e.Steps[0].Time
}

// Stop returns when the endpoint reached Closed.
func (e *Endpoint) Stop() Time {
	if len(e.Steps) == 0 {
		return 0
	}
	return e.Steps[len(e.Steps)-1].Time
}

// Last returns the state before Closed.
func (e *Endpoint) Last() TCPState {
	if len(e.Steps) < 2 {
		return StateUnknown
	}
	return e.Steps[len(e.Steps)-2].State
}

// KernelReset is an RST as its kernel sent it.
type KernelReset struct {
	Time   Time           `json:"time"`
	Netns  uint32         `json:"netns"`
	Socket uint64         `json:"socket,omitempty"` // of a full socket; 0 for none, a request or TIME_WAIT
	Local  netip.AddrPort `json:"local"`            // the RST's source
	Remote netip.AddrPort `json:"remote"`

	// Reason is the kernel's word (enum sk_rst_reason without its prefix), "" where it has none.
	Reason string `json:"reason,omitempty"`

	State    TCPState `json:"state"`              // of the socket that sent it; StateUnknown without one
	Substate TCPState `json:"substate,omitempty"` // with TIME_WAIT: FIN_WAIT2 while the peer's FIN is awaited
	HadFile  bool     `json:"had_file,omitempty"` // a process has or had the socket as a descriptor
	Dead     bool     `json:"dead,omitempty"`     // no process has it any more

	Offender *Offender `json:"offender,omitempty"` // the segment that drew it; nil for an active reset
	Task     *Task     `json:"task,omitempty"`     // who ran; the doer only with Owner
}

// Offender is the segment that drew an RST.
type Offender struct {
	Flags Flags  `json:"flags"`
	Seq   uint32 `json:"seq"`
	Ack   uint32 `json:"ack"`
	Len   uint32 `json:"len"` // payload bytes
}

// Held says which process has a socket as a descriptor, as the kernel says when it is asked.
type Held struct {
	Time   Time   `json:"time"`
	Socket uint64 `json:"socket"`
	Task   *Task  `json:"task"` // in no call
}

// Release is the close of a socket that had ended while it was held.
type Release struct {
	Time   Time   `json:"time"`
	Socket uint64 `json:"socket"`
	Task   *Task  `json:"task"`
	Unread uint32 `json:"unread,omitempty"` // payload that nobody read, nor will
}

// Task is a thread and the system call that it was in. Numbers are of the initial namespace.
type Task struct {
	PID  int    `json:"pid"`
	TID  int    `json:"tid"`
	Comm string `json:"comm"` // may hold hostile bytes

	// Call is the system call; "exit" or "kill" where the process was ending, "io_uring" for
	// work handed over, "" where it is not known.
	Call   string `json:"call,omitempty"`
	FD     int    `json:"fd"`               // the descriptor that the call was given, -1 for none
	How    int    `json:"how,omitempty"`    // of shutdown: 0 SHUT_RD, 1 SHUT_WR, 2 SHUT_RDWR
	Signal int    `json:"signal,omitempty"` // with "kill"

	// Owner says that the task was in a call on the socket. Without it the task only ran when a
	// segment or a timer came, and has nothing to do with it.
	Owner bool `json:"owner,omitempty"`

	// Kernel says that it is a thread of the kernel's own, which does what was handed over to it or was left to do. It
	// is nobody's process.
	Kernel bool `json:"kernel,omitempty"`
}

// Does reports whether t is a process that was in a call on the socket, and so did what happened.
func (t *Task) Does() bool { return t != nil && t.Owner && !t.Kernel }
