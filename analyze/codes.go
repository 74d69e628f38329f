package analyze

import (
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// Code is a stable code of the result with what it means. The lists of codes stand here and
// nowhere else: filters, completion, reports, expectations and documentation read them.
type Code[T comparable] struct {
	Code  T
	Means string // in one line
	Topic string // of `closecap explain`; "" where none tells more

	// Of a reset cause: how a sentence goes on after "RST (frame 9): ", and how it begins, a
	// format for the RST's sender.
	Words, Sent string
	// Of a reset cause: the TcpExt counter that tells of it (net/ipv4/tcp.c, tcp_input.c,
	// tcp_timer.c). Where two causes share one, the calls tell them apart.
	Counter string
	// Of a reset cause: the one that says less of the same, where that is all that is known.
	Less ResetCause
}

// How an RST is said to have been sent.
const (
	byAborting  = "the %s sent"
	byAnswering = "the %s's kernel answered with"
	byAnother   = "in the name of the %s came an"
)

var endingCodes = []Code[Ending]{
	{Code: Graceful, Means: "FIN both ways, both acknowledged as far as seen", Topic: "time-wait"},
	{Code: HalfClosed, Means: "one FIN; the other end never closed", Topic: "close-wait"},
	{Code: FinUnacked, Means: "a FIN was never acknowledged", Topic: "fin-ordering"},
	{Code: WasReset, Means: "an RST ended it", Topic: "reset"},
	{Code: WasRefused, Means: "an RST answered the SYN", Topic: "reset"},
	{Code: Unanswered, Means: "nothing answered the SYN"},
	{Code: Open, Means: "the capture ends first"},
	{Code: Silent, Means: "retransmissions or keep-alives went unanswered", Topic: "half-open"},
	{Code: UnknownEnding, Means: "the evidence does not say"},
}

var causeCodes = []Code[ResetCause]{
	{Code: UnreadData, Means: "closed with data unread", Topic: "reset",
		Words: "it closed with received data unread, so its kernel sent RST instead of FIN", Sent: byAborting, Counter: "TCPAbortOnClose", Less: Aborted},
	{Code: LingerZero, Means: "closed with SO_LINGER 0", Topic: "reset",
		Words: "it closed with SO_LINGER 0, which aborts instead of sending FIN", Sent: byAborting, Counter: "TCPAbortOnData", Less: Aborted},
	{Code: DataAfterClose, Means: "data came for a socket that its application had closed, or shut down both ways", Topic: "lost-bytes",
		Words: "data came for a socket that its application had already closed", Sent: byAnswering, Counter: "TCPAbortOnData", Less: NoSocket},
	{Code: NoSocket, Means: "nobody owned the segment that it answers", Topic: "half-open",
		Words: "no socket there owned the segment", Sent: byAnswering},
	{Code: AcceptQueueFull, Means: "the listener's accept queue was full", Topic: "accept-queue",
		Words: "the listener's accept queue was full, so its kernel did not open the connection", Sent: byAnswering, Counter: "ListenOverflows"},
	{Code: ConnRefused, Means: "nobody listened, or a firewall rejected the SYN", Topic: "reset",
		Words: "nothing listens on that port", Sent: byAnswering},
	{Code: ListenerClosed, Means: "the listener closed before the connection was accepted", Topic: "reset",
		Words: "the listener closed before it had accepted the connection", Sent: byAborting, Less: Aborted},
	{Code: Disconnect, Means: "connect(AF_UNSPEC)", Topic: "reset",
		Words: "it disconnected with connect(AF_UNSPEC), which aborts", Sent: byAborting, Less: Aborted},
	{Code: KeepaliveTimeout, Means: "its keep-alive probes went unanswered", Topic: "half-open",
		Words: "its keep-alive probes went unanswered", Sent: byAborting, Counter: "TCPAbortOnTimeout", Less: Aborted},
	{Code: TimeWaitReset, Means: "the segment hit a socket in TIME_WAIT", Topic: "reset",
		Words: "the segment hit a socket in TIME_WAIT", Sent: byAnswering, Less: NoSocket},
	{Code: RetransmitTimeout, Means: "its data went unanswered until its kernel gave up", Topic: "reset",
		Words: "its data went unanswered until its kernel gave up", Sent: byAborting, Counter: "TCPAbortOnTimeout", Less: Aborted},
	{Code: Linger2, Means: "an orphaned socket was not to wait in FIN_WAIT2 (TCP_LINGER2)", Topic: "reset",
		Words: "its orphaned socket was not to wait in FIN_WAIT2 (TCP_LINGER2)", Sent: byAborting, Counter: "TCPAbortOnLinger", Less: Aborted},
	{Code: Aborted, Means: "a live socket sent it, and by which call is not known", Topic: "reset",
		Words: "it aborted the connection; which call did so is not known", Sent: byAborting, Less: NoSocket},
	{Code: Middlebox, Means: "something between the ends seems to have sent it", Topic: "middlebox-reset",
		Words: "something between the two ends seems to have sent it", Sent: byAnother},
	{Code: UnknownCause, Means: "the evidence does not say", Topic: "reset",
		Words: "the evidence does not show why", Sent: byAborting},
}

var closerCodes = []Code[Side]{
	{Code: Client, Means: "the end that sent the first SYN"},
	{Code: Server, Means: "the end that answered it"},
	{Code: Both, Means: "both ends, before either knew of the other's FIN"},
}

var confidenceCodes = []Code[Confidence]{
	{Code: InKernel, Means: "the kernel said so"},
	{Code: Observed, Means: "it stands in the packets or calls"},
	{Code: Inferred, Means: "it follows from the frames named beside it"},
	{Code: Unknown, Means: "the evidence does not say"},
}

var stateCodes = []Code[event.TCPState]{
	{Code: event.Established, Means: "open"},
	{Code: event.SynSent, Means: "connecting"},
	{Code: event.SynRecv, Means: "answered a SYN"},
	{Code: event.FinWait1, Means: "sent FIN, not acknowledged"},
	{Code: event.FinWait2, Means: "sent FIN, acknowledged"},
	{Code: event.TimeWait, Means: "both closed, this end first"},
	{Code: event.Closed, Means: "no connection"},
	{Code: event.CloseWait, Means: "got FIN, sent none"},
	{Code: event.LastAck, Means: "got FIN, sent FIN"},
	{Code: event.Listen, Means: "waiting for connections"},
	{Code: event.Closing, Means: "both sent FIN at once"},
}

// EndingCodes lists the codes of endings.
func EndingCodes() []Code[Ending] { return slices.Clone(endingCodes) }

// CauseCodes lists the codes of reset causes.
func CauseCodes() []Code[ResetCause] { return slices.Clone(causeCodes) }

// SideCodes lists the ends of a connection.
func SideCodes() []Code[Side] { return slices.Clone(closerCodes[:2]) }

// CloserCodes lists who can have ended a connection first.
func CloserCodes() []Code[Side] { return slices.Clone(closerCodes) }

// ConfidenceCodes lists the codes of confidences, strongest evidence first.
func ConfidenceCodes() []Code[Confidence] { return slices.Clone(confidenceCodes) }

// StateCodes lists the states that an end can be in, by the kernel's names.
func StateCodes() []Code[event.TCPState] { return slices.Clone(stateCodes) }

// Names returns the codes as they are written.
func Names[T comparable](codes []Code[T]) []string {
	names := make([]string, len(codes))
	for i, c := range codes {
		names[i] = fmt.Sprint(c.Code)
	}
	return names
}

// CauseCode returns what a reset cause means. Of a code that is not listed it says no more than of
// any RST.
func CauseCode(cause ResetCause) Code[ResetCause] {
	if c := find(causeCodes, cause); c != nil {
		return *c
	}
	return Code[ResetCause]{Code: cause, Topic: "reset", Sent: byAborting}
}

// MayBe reports whether a cause may be another one, of which it says less.
func (r ResetCause) MayBe(other ResetCause) bool {
	for c := find(causeCodes, other); c != nil; c = find(causeCodes, c.Less) {
		if c.Less == r {
			return true
		}
	}
	return false
}

// find returns a code's row, nil where it is not listed.
func find[T comparable](codes []Code[T], code T) *Code[T] {
	for i := range codes {
		if codes[i].Code == code {
			return &codes[i]
		}
	}
	return nil
}

// Topic names the topic of `closecap explain` that tells more about a connection's end, "" where
// there is none.
func Topic(c *Connection) string {
	switch {
	case c.LastWords != nil && c.LastWords.Topic != "":
		return c.LastWords.Topic
	case c.Ending == Graceful && c.Simultaneous:
		return "simultaneous-close"
	case c.Ending == Graceful && c.HalfClose != nil && c.HalfClose.Bytes > 0:
		return "half-close"
	case c.IdleClose != nil:
		return "keepalive-race"
	case c.Ending == WasReset && c.Reset != nil:
		return CauseCode(c.Reset.Cause).Topic
	}
	if e := find(endingCodes, c.Ending); e != nil {
		return e.Topic
	}
	return ""
}
