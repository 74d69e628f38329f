package event

import "fmt"

// TCPState is a connection state by the kernel's number (include/net/tcp_states.h).
type TCPState uint8

// The kernel's states. The zero value means unknown.
const (
	StateUnknown TCPState = iota
	Established
	SynSent
	SynRecv
	FinWait1
	FinWait2
	TimeWait
	Closed
	CloseWait
	LastAck
	Listen
	Closing
	NewSynRecv
)

var stateNames = [...]string{
	"unknown", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
	"CLOSED", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "SYN_RECV",
}

func (s TCPState) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// ParseTCPState reads a state's name; ok is false for a name the kernel does not have.
func ParseTCPState(name string) (s TCPState, ok bool) {
	for i, n := range stateNames {
		if n == name {
			return TCPState(i), true
		}
	}
	return StateUnknown, false
}

// MarshalText writes the name, so JSON holds "FIN_WAIT1" and not 4.
func (s TCPState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name.
func (s *TCPState) UnmarshalText(b []byte) error {
	v, ok := ParseTCPState(string(b))
	if !ok {
		return fmt.Errorf("parse tcp state: unknown name %q", b)
	}
	*s = v
	return nil
}

// nextStates holds for each state the set of those that may come next (RFC 9293 3.3.2, and what
// lost segments hide of it).
var nextStates = [...]uint16{
	StateUnknown: 1<<SynSent | 1<<SynRecv | 1<<Established |
		1<<FinWait1 | 1<<CloseWait | 1<<LastAck | 1<<Closed,
	SynSent:     1<<SynRecv | 1<<Established | 1<<FinWait1 | 1<<Closed,
	SynRecv:     1<<Established | 1<<FinWait1 | 1<<CloseWait | 1<<Closed,
	Established: 1<<FinWait1 | 1<<CloseWait | 1<<Closed,
	FinWait1:    1<<FinWait2 | 1<<Closing | 1<<TimeWait | 1<<Closed,
	FinWait2:    1<<TimeWait | 1<<Closed,
	Closing:     1<<TimeWait | 1<<Closed,
	CloseWait:   1<<LastAck | 1<<Closed,
	LastAck:     1 << Closed,
	TimeWait:    1 << Closed,
	NewSynRecv:  0,
}

// MayBecome reports whether an end may go from s to next without a state between that a capture
// would show.
func (s TCPState) MayBecome(next TCPState) bool {
	return int(s) < len(nextStates) && nextStates[s]&(1<<next) != 0
}
