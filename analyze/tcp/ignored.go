package tcp

import "fmt"

// Ignored is why a segment's receiver did not act on it.
type Ignored uint8

const (
	Acted Ignored = iota
	SameFrame
	outsideWindow
	insideWindow
	wrongSynAck
	receiverGoesOn
	alreadyClosed
	beyondSent
	synWithFin
	staysInSynRecv
	secondFin
	anotherISN
	underSent
	senderGoesOn
	staysInSynSent
	cameTwice
	damaged
)

// Text says in words why a segment was ignored, "" when it was not.
func (g Ignored) Text(ref uint64) string {
	switch g {
	case SameFrame:
		return fmt.Sprintf("the same packet as frame %d, captured twice", ref)
	case cameTwice:
		return fmt.Sprintf("the packet of frame %d, which came twice", ref)
	case outsideWindow:
		return "its sequence number lies outside the receive window"
	case insideWindow:
		return "its sequence number is not exactly the next one: a challenge ACK is due (RFC 5961)"
	case wrongSynAck:
		return "it does not acknowledge the SYN"
	case receiverGoesOn:
		return fmt.Sprintf("its receiver goes on with frame %d", ref)
	case alreadyClosed:
		return "the connection had ended"
	case beyondSent:
		return "it acknowledges what was never sent"
	case staysInSynRecv:
		return fmt.Sprintf("it refuses frame %d, and its sender stays in SYN_RECV (RFC 9293 3.10.7.4)", ref)
	case staysInSynSent:
		return fmt.Sprintf("it refuses frame %d, and its sender stays in SYN_SENT (RFC 9293 3.10.7.3)", ref)
	case secondFin:
		return fmt.Sprintf("the stream already ended with the FIN of frame %d", ref)
	case anotherISN:
		return fmt.Sprintf("its sequence number is another than that of frame %d", ref)
	case underSent:
		return "its sequence number lies before data that had been sent"
	case senderGoesOn:
		return fmt.Sprintf("its sender goes on in its place with frame %d, and nobody had acknowledged it", ref)
	case damaged:
		return "its checksum is wrong, and its numbers lie outside the windows"
	case synWithFin:
		return "no stack takes SYN and FIN together"
	}
	return ""
}
