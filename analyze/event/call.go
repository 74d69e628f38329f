package event

import (
	"net/netip"
	"strconv"
)

// Call is one socket call of one thread, or the implicit close of one socket by exit or a
// signal (Name "exit" or "kill", one Call a socket).
type Call struct {
	ID    int    `json:"id"` // 1-based; in a recording the row it stands in, counted like a frame
	Actor string `json:"actor"`
	PID   int    `json:"pid"`
	TID   int    `json:"tid"`
	FD    int    `json:"fd"` // -1 where the call has none

	// Socket is the kernel's cookie of the socket, the same in every process that shares it; of an MPTCP socket
	// 2^52 and its inode.
	// 0 means not known.
	Socket uint64         `json:"socket,omitempty"`
	Local  netip.AddrPort `json:"local,omitzero"`  // the socket's own address after the call
	Remote netip.AddrPort `json:"remote,omitzero"` // its peer's; invalid for listeners

	Name string `json:"name"` // the system call's family: connect, send, recv, shutdown, close…
	Args string `json:"args"` // what follows the fd, as a person would write it: "SHUT_WR", "12 bytes"
	// Syscall is the system call itself where it is not Name: sendmsg, write, execve.
	Syscall string `json:"syscall,omitempty"`

	Ret   int64  `json:"ret"` // as the system call returned it; -1 with Errno
	Errno string `json:"errno"`
	Start Time   `json:"start"`
	End   Time   `json:"end"` // 0 where the call had not returned when the recording ended
	// Abandoned is when its thread was ended inside the call, as by a signal: it never returned. 0 where nothing did.
	Abandoned Time `json:"abandoned,omitzero"`
	// Signal ended the thread inside the call, or was pending when a close returned: it ends the wait of SO_LINGER,
	// which no result tells. "" where there was none, or it is not known.
	Signal string `json:"signal,omitempty"`
	Thread bool   `json:"thread,omitempty"` // made in the background, beside the actor's other calls

	// Blocked says that the call waited. It is set only where the recorder knows.
	Blocked bool `json:"blocked,omitempty"`

	// Flags of data calls that change what the range means.
	Peek bool `json:"peek,omitempty"` // MSG_PEEK: takes nothing from the stream

	// Ring says that after the call the socket was open, and no descriptor of it found, in a process that uses
	// io_uring: a request there may hold it. Of an exit or a kill it says that this was so before, or is after it.
	Ring bool `json:"io_uring,omitempty"`

	// Accepted is the accepted connection's descriptor; FD is then the listener's. 0 means none.
	Accepted int `json:"accepted,omitempty"`

	// RecvQ is how many bytes lay unread when a closing call began; -1 means not known.
	RecvQ int `json:"recvq"`

	// Holders are the other descriptors of the same socket right after the call. A close
	// with holders left sends nothing.
	Holders []Holder `json:"holders,omitempty"`

	// Sent are segments that the call itself handed to the network device, as its kernel says.
	Sent []Departure `json:"sent,omitempty"`

	// Text is what the call carried, shortened, for people. It may hold hostile bytes.
	Text string `json:"text,omitempty"`

	At   string `json:"at,omitempty"`   // place in the script, "file:line"
	Want string `json:"want,omitempty"` // the outcome that the script expects of this call
	Note string `json:"note,omitempty"`

	Counters map[string]int64 `json:"counters,omitempty"` // TcpExt deltas over the call, private namespace only
	Samples  []Sample         `json:"samples,omitempty"`  // the kernel's view right after the call
}

// Departure is a segment that left inside a call.
type Departure struct {
	Time  Time   `json:"time"`
	Flags Flags  `json:"flags"`
	Seq   uint32 `json:"seq"` // as on the wire
	Len   uint32 `json:"len"` // payload bytes
}

// Holder is a descriptor that refers to a socket.
type Holder struct {
	PID   int    `json:"pid"`
	FD    int    `json:"fd"`
	Actor string `json:"actor,omitempty"`
}

// Sample is what the kernel said of one endpoint at one time (sock_diag).
type Sample struct {
	Time   Time           `json:"time"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	State  TCPState       `json:"state"` // Closed when the kernel no longer knows the endpoint

	Timer       string `json:"timer,omitempty"`   // retransmit, keepalive, timewait, probe; "" when none runs
	Left        int64  `json:"left_ns,omitempty"` // until the timer fires
	Retransmits int    `json:"retransmits,omitempty"`
	RecvQ       int    `json:"recvq"`            // bytes not yet read
	SendQ       int    `json:"sendq"`            // bytes not yet acknowledged
	Orphan      bool   `json:"orphan,omitempty"` // no process holds it (inode 0)
}

// Expectation is one line of a script that says what must come out.
type Expectation struct {
	At      string   `json:"at"`   // "file:line"
	Text    string   `json:"text"` // the whole line
	Subject string   `json:"subject"`
	Args    []string `json:"args"`

	// Connection is the connection spoken of, counted from 1 by first frame. 0 means the first.
	Connection int `json:"connection,omitempty"`

	// After is the Call.ID of the last call before the line; 0 where no call came before.
	After int `json:"after,omitempty"`
}

// DropPayload forgets what a data call carried, and keeps how much its script expects.
func (c *Call) DropPayload() {
	if k := c.Kind(); k != SendCall && k != RecvCall {
		return
	}
	c.Text = ""
	if text, err := strconv.Unquote(c.Want); err == nil {
		c.Want = strconv.Itoa(len(text))
	}
}
