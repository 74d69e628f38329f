// Package tcp follows one TCP connection by its segments: what each end sent, what it has provably
// received, which states it went through, and what the capture may lack.
//
// It knows nothing of other connections, nor of what is said of this one in the end: a Flow takes
// its options and the time, and its facts are there to be read.
package tcp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// End indexes the two ends of a flow.
type End uint8

// The ends. Without a SYN, which is which is a guess.
const (
	Client End = 0
	Server End = 1
)

// Other returns the opposite end.
func (e End) Other() End { return e ^ 1 }

// Side returns the word for e.
func (e End) Side() analyze.Side {
	if e == Client {
		return analyze.Client
	}
	return analyze.Server
}

// proof says how it is known that an end received its peer's FIN.
type proof uint8

const (
	unproved proof = iota
	presumed       // stamped on the host where the receiver lives
	proved         // the receiver acknowledged it
)

// Flow is a connection while its segments are followed. Flows are used again, with the lists
// that stand in them: Clear makes one empty.
type Flow struct {
	Facts
	changeRoom [10]Change
	listedRoom [8]Listed
}

// Clear forgets what is known of the connection that fl was.
func (fl *Flow) Clear() {
	fl.Facts = Facts{
		Listed: fl.listedRoom[:0], Changes: fl.changeRoom[:0], Rearms: fl.Rearms[:0],
	}
}

// Release lets go of the lists that had outgrown their rooms.
func (fl *Flow) Release() {
	fl.Listed, fl.Changes, fl.held, fl.Remapped, fl.Twice = nil, nil, nil, nil, nil
}

// Span returns two numbers of fl between which nearly all of its memory lies.
func (fl *Flow) Span() (first, last *uint64) {
	return &fl.FirstFrame, &fl.listedRoom[len(fl.listedRoom)-1].Frame
}

// Copy returns what is known of fl now, to be concluded while fl is followed further.
func (fl *Flow) Copy() *Flow {
	c := *fl
	c.Listed, c.Changes, c.Rearms = slices.Clone(fl.Listed), slices.Clone(fl.Changes), slices.Clone(fl.Rearms)
	for e := range c.Dir {
		c.Dir[e].Gaps = slices.Clone(fl.Dir[e].Gaps)
	}
	return &c
}

// Facts is all that is known of a connection.
type Facts struct {
	opt              *analyze.Options
	ID               int
	Addr             [2]netip.AddrPort
	loIsClient       bool
	Guessed          bool
	Midstream        bool  // began without a SYN
	Handshake        bool  // the handshake's last ACK was seen
	Filtered         bool  // no pure ACK was captured
	sameHost         bool  // both ends live on the capturing host
	copyHops         uint8 // how many routers lie between two sights of a packet at one point
	Simultaneous     bool
	simultaneousOpen bool
	Multipath        bool // both SYNs offered MPTCP, or the capture holds its options without them
	MultipathOffered bool // a SYN did
	Closer           End
	HasCloser        bool
	spokeBy          End
	Warnings         Warning

	Start      event.Time
	FirstFrame uint64
	Last       event.Time
	LastFrame  uint64
	SynAt      event.Time
	spoke      event.Time // the newest payload that was not a repetition
	rtt        int64      // SYN to handshake ACK, ns; 0 when not seen

	Dir        [2]Direction
	Reset      Reset
	Remapped   *Remapped // another connection with its numbers; nil for none
	lastRST    *Reset    // an RST beyond what was captured, while nothing follows it
	Waits      [2]Wait
	Pause      Pause
	Listed     []Listed
	Omitted    uint64 // segments that Listed leaves out
	Changes    []Change
	Rearms     []Rearm
	Twice      *Twice         // the newest; nil for none, or where Listed leaves segments out
	Duplicates uint32         // packets that were captured once more
	held       *event.Segment // a SYN that its receiver may refuse to take for a new connection
	doubt      *event.Segment // a FIN that acknowledges more than was seen of its receiver
	secondISN  *event.Segment // a SYN,ACK with another ISN than the first, while neither was taken
}

// RoundTrip is how long the handshake's ACK took, 0 when it was not seen.
func (fl *Flow) RoundTrip() time.Duration { return time.Duration(fl.rtt) }

// OnSenderHost reports whether the capture was taken where both ends live.
func (fl *Flow) OnSenderHost() bool { return fl.sameHost }

// Change is an end's entry into a state.
type Change struct {
	Frame uint64
	Time  event.Time
	Of    End
	State event.TCPState
	Seen  bool // shown by what the end itself sent
}

// Rearm is a segment that started a TIME_WAIT anew.
type Rearm struct {
	Frame uint64
	Of    End
}

// Wait is one end's TIME_WAIT.
type Wait struct {
	Since, Until event.Time
	EndFrame     uint64
	Ended        WaitEnd
	Seen         bool
}

// WaitEnd is what ended a TIME_WAIT; the zero value says that nothing has yet.
type WaitEnd uint8

const (
	running WaitEnd = iota
	expired
	reused
	killed
)

// String returns the code of e.
func (e WaitEnd) String() string { return [...]string{"", "expiry", "reuse", "rst"}[e] }

// Warning is a set of doubts about a connection's evidence.
type Warning uint16

// The doubts.
const (
	WarnClock Warning = 1 << iota
	WarnTruncated
	WarnDuplicates
	WarnEvicted
	WarnFragments
)
