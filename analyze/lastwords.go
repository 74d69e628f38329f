package analyze

import "github.com/closecap/closecap/analyze/event"

// LastWords is what each end said last, as far as it stands in clear; nil for an end of which nothing can
// be said.
type LastWords struct {
	Client *Words `json:"client,omitempty"`
	Server *Words `json:"server,omitempty"`

	// Reason says in the protocol's words why the connection ended, with what Confidence.
	Reason     string     `json:"reason,omitempty"`
	Confidence Confidence `json:"reason_confidence,omitempty"`
	Kind       ReasonKind `json:"reason_kind,omitempty"`
	// Said is the message that is the reason, where it says more than that the connection is to end.
	Said string `json:"said,omitempty"`
	// IdleNS is how long nobody had said anything when the first end closed, and Outstanding how many requests of
	// the client no answer had begun of by then.
	IdleNS      int64  `json:"idle_ns,omitempty"`
	Outstanding uint64 `json:"outstanding,omitempty"`

	Topic string `json:"-"` // of `closecap explain` that tells more of the Reason, "" where none does
}

// ReasonKind is what kind of reason a connection ended for, a stable code.
type ReasonKind string

// The kinds, in the order in which they are looked for: the first is the reason.
const (
	ReasonTransfer     ReasonKind = "transfer"
	ReasonGoodbye      ReasonKind = "goodbye"
	ReasonMismatch     ReasonKind = "protocol-mismatch"
	ReasonUnheard      ReasonKind = "unheard"
	ReasonUnresponsive ReasonKind = "unresponsive"
	ReasonRace         ReasonKind = "keepalive-race"
	ReasonStalled      ReasonKind = "stalled-reader"
	ReasonOutstanding  ReasonKind = "request-outstanding"
	ReasonCut          ReasonKind = "cut"
	ReasonHandshake    ReasonKind = "handshake"
	ReasonIdle         ReasonKind = "idle"
	ReasonNoGoodbye    ReasonKind = "no-goodbye"
	ReasonHarmless     ReasonKind = "harmless-reset"
)

// Of returns a pointer to the words of side s.
func (l *LastWords) Of(s Side) **Words {
	if s == Server {
		return &l.Server
	}
	return &l.Client
}

// Words are the last words of one end. What is in them is the peer's, and escaped before it is shown.
type Words struct {
	Frame        uint64     `json:"frame"`                // where it was said; 0 of what was not said
	Time         event.Time `json:"time,omitzero"`        // when
	Protocol     string     `json:"protocol,omitempty"`   // told by the first bytes, not by a port
	Meaning      string     `json:"meaning,omitempty"`    // the last message in that protocol's words
	Confidence   Confidence `json:"confidence,omitempty"` // of the meaning
	Tells        bool       `json:"tells,omitempty"`      // it bears on how the connection ended
	Text         string     `json:"text,omitempty"`       // the last line of text, in whatever protocol
	Acknowledged bool       `json:"acknowledged"`         // the other end's kernel has all that was said
	Closing      uint64     `json:"closing,omitempty"`    // bytes of messages that only close, at the stream's end
	Quoted       bool       `json:"-"`                    // the reason has it
}
