package analyze

// ResetFacts is what a kernel goes by when it sends an RST. Calls show it, and the kernel itself says so.
type ResetFacts struct {
	Disconnect bool   // a connect to AF_UNSPEC sent it
	Listener   bool   // the listener was closed before anybody accepted
	Unread     uint64 // bytes that lay unread when its socket was closed
	LingerZero bool   // closed with SO_LINGER at 0 seconds
	NoLinger2  bool   // closed with TCP_LINGER2 below 0

	Answers  bool // it answers a segment
	SYN      bool // which was one
	Data     bool // which brought data
	Closed   bool // its sender had closed both directions
	TimeWait bool // its sender was in TIME_WAIT
}

// Cause returns why the RST was sent; Aborted where none of the facts says why a call or a timer did. The order
// is that of tcp_close and tcp_rcv_state_process (net/ipv4): data unread goes before SO_LINGER.
func (f ResetFacts) Cause() ResetCause {
	switch {
	case f.SYN:
		return ConnRefused
	case f.Data && f.Closed:
		return DataAfterClose
	case f.TimeWait:
		return TimeWaitReset
	case f.NoLinger2 && f.Answers:
		return Linger2
	case f.Answers:
		return NoSocket
	case f.Disconnect:
		return Disconnect
	case f.Listener:
		return ListenerClosed
	case f.Unread > 0:
		return UnreadData
	case f.LingerZero:
		return LingerZero
	case f.NoLinger2:
		return Linger2
	}
	return Aborted
}
