package analyze

import "net/netip"

// Relay says that what is one end of the connection relayed between it and another, its other leg: it received on one
// what it sent on the other. A process is known by its calls; without them the same bytes, in the same moment, tell.
type Relay struct {
	Leg        int        `json:"leg"`           // id of the other connection
	Side       Side       `json:"side"`          // which end of this one the relay is
	PID        int        `json:"pid,omitempty"` // of a process that was traced
	Actor      string     `json:"actor,omitempty"`
	Bytes      uint64     `json:"bytes"`              // that went through it, both ways, as far as they are known to be the same
	Same       RelaySame  `json:"same,omitempty"`     // by what it is known without calls
	Received   int        `json:"received,omitempty"` // the call that received the first of them
	Sent       int        `json:"sent,omitempty"`     // the call that sent those on
	Call       int        `json:"call,omitempty"`     // the call by which it ended this leg
	After      int        `json:"after,omitempty"`    // the call that had told its thread, before that, of the other leg's end
	Confidence Confidence `json:"confidence"`         // observed where calls show the same bytes, inferred where only as many, or without calls
	Ended      *LegEnd    `json:"ended,omitempty"`    // of the other leg
}

// RelaySame is what two connections have in common that a relay ties without the same bytes in calls.
type RelaySame string

// What was on both in the same moment: all bytes, or the last request and its answer but for their heads. With calls:
// the request alone, to which no answer went on; or one was opened while the other waited for an answer, and nothing came back.
const (
	SameBytes   RelaySame = "bytes"
	SameRequest RelaySame = "request"
	NothingBack RelaySame = "nothing-back"
)

// MayRelay are two connections that are the legs of a relay if what was sent on the first in Frames is a gateway's error,
// which no call shows.
type MayRelay struct {
	Front, Back int // ids
	Relays      [2]Relay
	Frames      []uint64
}

// LegEnd is how the other leg of a relay ended, where it had before the relay ended this one.
type LegEnd struct {
	Peer       netip.AddrPort `json:"peer"`   // its end that is not the relay
	NS         int64          `json:"ns"`     // how long before
	Reason     string         `json:"reason"` // in the words of what was said last on that leg, else who closed or reset it
	Confidence Confidence     `json:"confidence"`
	ByRelay    bool           `json:"by_relay,omitempty"` // the relay had ended that one, too
	Answered   bool           `json:"answered,omitempty"` // the relay then gave the answer of this leg: NS is until that
}

// IsGatewayError reports whether it is by a status of HTTP that a gateway says that the server behind it gave no answer,
// or that there is none (RFC 9110 15.6.3 to 15.6.5).
func IsGatewayError(status int) bool { return status >= 502 && status <= 504 }
