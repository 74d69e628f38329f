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
