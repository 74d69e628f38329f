package event

import "strings"

// CallKind is what a call means to a stream.
type CallKind uint8

// The kinds. OtherCall sends, reads and ends nothing.
const (
	OtherCall CallKind = iota
	SendCall
	RecvCall
	ConnectCall
	AcceptCall
	ListenCall
	ShutdownCall
	CloseCall // close and what closes by implication
)

// Kind returns what c means to a stream.
func (c *Call) Kind() CallKind {
	switch c.Name {
	case "send", "sendto", "sendmsg", "sendmmsg", "write", "writev", "sendfile":
		return SendCall
	case "recv", "recvfrom", "recvmsg", "recvmmsg", "read", "readv":
		return RecvCall
	case "connect":
		return ConnectCall
	case "accept", "accept4":
		return AcceptCall
	case "listen":
		return ListenCall
	case "shutdown":
		return ShutdownCall
	case "close", "exit", "kill", "exec", "close_range", "dup2", "dup3":
		return CloseCall
	}
	return OtherCall
}

// IsDisconnect reports whether c is connect(AF_UNSPEC), which dissolves the association (connect(2)).
func (c *Call) IsDisconnect() bool {
	return c.Kind() == ConnectCall && strings.Contains(c.Args, "AF_UNSPEC")
}

// IsEOF reports whether c returned the end of the stream.
func (c *Call) IsEOF() bool {
	return c.Kind() == RecvCall && c.Ret == 0 && c.Errno == "" && c.End != 0
}
