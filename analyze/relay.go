package analyze

// Relay says that a process relayed between the connection and another, its other leg: it received on one
// what it sent on the other.
type Relay struct {
	Leg        int        `json:"leg"` // id of the other connection
	PID        int        `json:"pid"`
	Actor      string     `json:"actor"`
	Bytes      uint64     `json:"bytes"`           // that went through it, both ways
	Received   int        `json:"received"`        // the call that received the first of them
	Sent       int        `json:"sent"`            // the call that sent those on
	Call       int        `json:"call,omitempty"`  // the call by which it ended this leg
	After      int        `json:"after,omitempty"` // the call that had told its thread, before that, of the other leg's end
	Confidence Confidence `json:"confidence"`      // observed where calls show the same bytes, inferred where only as many
}
