package analyze

import (
	"net/netip"

	"closecap/analyze/event"
	"closecap/analyze/seqnum"
)

// end indexes the two ends of a flow.
type end uint8

const (
	client end = 0
	server end = 1
)

func (e end) other() end { return e ^ 1 }

func (e end) side() Side {
	if e == client {
		return Client
	}
	return Server
}

// proof says how it is known that an end received its peer's FIN.
type proof uint8

const (
	unproved proof = iota
	presumed       // stamped on the host where the receiver lives
	proved         // the receiver acknowledged it
)

// flow is a connection while its segments still come in. Flows are reused: begin resets one.
type flow struct {
	key        key
	id         int
	addr       [2]netip.AddrPort
	half       [2]half
	loIsClient bool
	guessed    bool
	midstream  bool // began without a SYN
	sameHost   bool // both ends live on the capturing host
	simul      bool
	simulOpen  bool
	filtered   bool // no pure ACK was captured
	list       *flowList
	handshake  bool // the handshake's last ACK was seen
	closer     end
	hasCloser  bool

	start, last           event.Time
	firstFrame, lastFrame uint64
	packets               uint64
	synAt                 event.Time
	rtt                   int64 // SYN to handshake ACK, ns; 0 when not seen

	rst     resetFacts
	lastRst *resetFacts // an RST beyond what was captured, while nothing follows it
	records []record
	changes []change
	rearms  []rearm
	tw      [2]waiting
	omitted uint64
	twins   uint32 // duplicates of the capture
	warn    warning
	pending *event.Segment // a SYN that its receiver may refuse to take for a new connection
	doubt   *event.Segment // a FIN that acknowledges more than was seen of its receiver

	zeek    zeekFlow
	shark   uint8
	prev    *flow // neighbours on the list of open or of waiting flows
	next    *flow
	expires event.Time
}

// half is what one end sent, and what its peer said of that. Sequence numbers are relative
// to the initial one and do not wrap.
type half struct {
	nxtAbs seqnum.Value // header value at nxt
	nxt    int64        // end of what was sent
	una    int64        // end of what the peer acknowledged
	hole   [2]int64     // newest range that was not captured in order
	holes  int64        // bytes in holes
	finEnd int64        // position after the FIN; 0 without one

	synFrame, finFrame uint64
	finAckFrame        uint64
	finAckTime         event.Time
	finAckAgain        uint64 // newest segment that acknowledges the FIN too
	finAckAgainTime    event.Time
	finTime            event.Time
	gotFinFrame        uint64
	gotFinTime         event.Time
	bytes              uint64
	bytesAtPeerFin     uint64
	bytesAckedAfterFin uint64
	packets            uint32
	retransmits        uint32
	tries              uint16 // retransmissions and keep-alives since the peer was last heard
	keepalives         uint16 // of these, keep-alives

	dataFrame       uint64 // newest segment that takes sequence space or asks for an answer
	dataSeq, datEnd int64
	lastTime        event.Time
	lastAck         int64
	ackStep         int64 // how far the newest acknowledgement of this half moved past nxt
	ackStepFrame    uint64
	provoked        uint64 // frame of this end that its peer must answer with a challenge ACK
	tsVal           uint32
	window          uint16
	ipid            uint16
	ipidMoves       uint16
	wscale          uint8
	ttl             uint8
	ttlVaries       bool
	hasTS           bool
	sent            bool
	based           bool
	synSent         bool
	synAckSent      bool
	gotFin          proof
	gotFinSeen      bool // e's own segment showed it when it was first known
	finLost         bool // the FIN came again: its first transmission proves nothing
	finSeen         bool
	state           event.TCPState
	recent          [3]sighting
	zeek            zeekHalf
}

// rel returns the position of a header's sequence number in h's stream.
func (h *half) rel(v seqnum.Value) int64 { return h.nxt + int64(v.Diff(h.nxtAbs)) }

// base fixes h's numbering: v stands at position at.
func (h *half) base(v seqnum.Value, at int64) {
	h.based, h.nxtAbs, h.nxt, h.una = true, v, at, at
}

// advance moves the end of what was sent to pos, which v is in headers.
func (h *half) advance(pos int64, v seqnum.Value) { h.nxt, h.nxtAbs = pos, v }

// record is a segment that the result will list.
type record struct {
	frame, repeats, answers uint64
	time                    event.Time
	seq, ack                int64
	length                  uint32
	window                  uint16
	flags                   event.Flags
	from                    end
	kind                    kind
	ignored                 ignored
	ref                     uint64 // frame that the reason names
}

// end returns the position after r.
func (r *record) end() int64 {
	n := r.seq + int64(r.length)
	if r.flags&event.SYN != 0 {
		n++
	}
	if r.flags&event.FIN != 0 {
		n++
	}
	return n
}

// change is an end's entry into a state.
type change struct {
	frame uint64
	time  event.Time
	of    end
	state event.TCPState
	seen  bool // shown by what the end itself sent
}

// rearm is a segment that started a TIME_WAIT anew.
type rearm struct {
	frame uint64
	of    end
}

// waiting is one end's TIME_WAIT.
type waiting struct {
	since, until event.Time
	endFrame     uint64
	ended        endedBy
	seen         bool
}

type endedBy uint8

const (
	running endedBy = iota
	expired
	reused
	killed
)

var endedByNames = [...]string{"", "expiry", "reuse", "rst"}

// kind is Kind in one byte.
type kind uint8

const (
	kOther kind = iota
	kSyn
	kSynAck
	kData
	kFin
	kAck
	kRst
	kKeepalive
	kProbe
	kWindow
	kChallenge
)

var kinds = [...]Kind{
	KindOther, KindSyn, KindSynAck, KindData, KindFin, KindAck, KindRst, KindKeepalive,
	KindWindowProbe, KindWindow, KindChallenge,
}

// warning is a set of doubts about a flow's evidence.
type warning uint16

const (
	warnClock warning = 1 << iota
	warnTruncated
	warnMissing
	warnDuplicates
	warnEvicted
	warnOneSided
	warnFragments
)
