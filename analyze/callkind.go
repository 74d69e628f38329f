package analyze

import (
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze/event"
)

// callKind is what a call means to a stream.
type callKind uint8

const (
	noKind callKind = iota // not looked up yet
	otherCall
	sendCall
	recvCall
	connectCall
	acceptCall
	listenCall
	shutdownCall
	closeCall // close and what closes by implication
)

var callKinds = map[string]callKind{
	"send": sendCall, "sendto": sendCall, "sendmsg": sendCall, "sendmmsg": sendCall,
	"write": sendCall, "writev": sendCall, "sendfile": sendCall,
	"recv": recvCall, "recvfrom": recvCall, "recvmsg": recvCall, "recvmmsg": recvCall,
	"read": recvCall, "readv": recvCall,
	"connect": connectCall,
	"accept":  acceptCall, "accept4": acceptCall,
	"listen":   listenCall,
	"shutdown": shutdownCall,
	"close":    closeCall, "exit": closeCall, "kill": closeCall, "exec": closeCall,
	"close_range": closeCall, "dup2": closeCall, "dup3": closeCall,
}

// kindOf looks the kind up, unless link has.
func kindOf(c *Call) callKind {
	if c.kind != noKind {
		return c.kind
	}
	if kind, known := callKinds[c.Name]; known {
		return kind
	}
	return otherCall
}

// isListening reports whether the call was made on a bound socket that never had a peer.
func isListening(c *Call) bool {
	return c.Connection == 0 && c.Local.IsValid()
}

func succeeded(c *Call) bool { return c.Errno == "" && c.End != 0 }

// endsWriting reports whether the call ends its side's stream: a shutdown of the write
// side, or a close that left no other descriptor. A call in progress may still hold the socket.
func endsWriting(c *Call) bool {
	switch kindOf(c) {
	case shutdownCall:
		return c.Errno == "" && !shutsOnlyReading(c)
	case closeCall:
		return c.Errno == "" && !slices.ContainsFunc(c.Holders, isDescriptor)
	}
	return false
}

// isDescriptor reports whether the holder is more than a thread inside a call.
func isDescriptor(h event.Holder) bool { return h.FD >= 0 }

func shutsOnlyReading(c *Call) bool {
	return kindOf(c) == shutdownCall && !strings.Contains(c.Args, "WR")
}

// mayReset reports whether the call can abort its own connection.
func mayReset(c *Call) bool {
	return kindOf(c) == closeCall && len(c.Holders) == 0 || isDisconnect(c)
}

// isDisconnect reports connect(AF_UNSPEC), which dissolves the association (connect(2)).
func isDisconnect(c *Call) bool {
	return kindOf(c) == connectCall && strings.Contains(c.Args, "AF_UNSPEC")
}
