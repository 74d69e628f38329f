package analyze

import (
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
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

// flow is a connection while its segments are followed. Flows are used again, with the lists
// that stand in them: clear makes one empty.
type flow struct {
	facts
	tools      tools
	changeRoom [10]change
	recordRoom [8]record
}

// clear forgets what is known of the connection that fl was.
func (fl *flow) clear() {
	fl.facts = facts{
		records: fl.recordRoom[:0], changes: fl.changeRoom[:0], rearms: fl.rearms[:0],
	}
	fl.tools.clear()
}

// facts is all that is known of a connection.
type facts struct {
	opt        *Options
	id         int
	place      place
	addr       [2]netip.AddrPort
	loIsClient bool
	guessed    bool
	midstream  bool // began without a SYN
	handshake  bool // the handshake's last ACK was seen
	filtered   bool // no pure ACK was captured
	sameHost   bool // both ends live on the capturing host
	calm       bool // goOn may follow it
	simul      bool
	simulOpen  bool
	closer     end
	hasCloser  bool
	warn       warning

	start      event.Time
	firstFrame uint64
	last       event.Time
	lastFrame  uint64
	synAt      event.Time
	rtt        int64 // SYN to handshake ACK, ns; 0 when not seen

	half    [2]half
	rst     resetFacts
	lastRst *resetFacts // an RST beyond what was captured, while nothing follows it
	tw      [2]waiting
	records []record
	omitted uint64 // segments that records leave out
	changes []change
	rearms  []rearm
	twins   uint32         // duplicates of the capture
	pending *event.Segment // a SYN that its receiver may refuse to take for a new connection
	doubt   *event.Segment // a FIN that acknowledges more than was seen of its receiver
	other   *event.Segment // a SYN,ACK with another ISN than the first, while neither was taken
}

// half is what one end sent, and what its peer said of that. Sequence numbers are relative
// to the initial one and do not wrap.
type half struct {
	nxt     int64 // end of what was sent
	una     int64 // end of what the peer acknowledged
	lastAck int64
	bytes   uint64

	dataFrame uint64 // newest segment that takes sequence space or asks for an answer
	datEnd    int64
	lastTime  event.Time
	lastSight uint64 // frame of the newest segment, at lastTime

	nxtAbs     seqnum.Value // header value at nxt
	dataLen    uint32
	lastSum    uint32 // of the newest segment, as sighting's
	lastAt     uint32
	packets    uint32
	tsVal      uint32
	window     uint16
	ipid       uint16
	tries      uint16 // retransmissions and keep-alives since the peer was last heard
	keepalives uint16 // of these, keep-alives
	ttl        uint8
	ipidMoves  uint8
	ttlVaries  bool
	hasTS      bool
	sent       bool
	based      bool
	state      event.TCPState

	gaps   []span // what was not captured in order, and not since
	holes  int64  // bytes in gaps
	low    int64  // where what was captured begins
	finEnd int64  // position after the FIN; 0 without one

	synFrame, finFrame uint64
	finAckFrame        uint64
	finAckTime         event.Time
	finAckAgain        uint64 // newest segment that acknowledges the FIN too
	finAckAgainTime    event.Time
	finTime            event.Time
	gotFinFrame        uint64
	gotFinTime         event.Time
	bytesAtPeerFin     uint64
	bytesAckedAfterFin uint64

	ackStep      int64 // how far the newest acknowledgement of this half moved past nxt
	ackStepFrame uint64
	provoked     uint64 // frame of this end that its peer must answer with a challenge ACK
	retransmits  uint32
	wscale       uint8
	synSent      bool
	cookie       bool // its SYN brought a Fast Open cookie
	synAckSent   bool
	gotFin       proof
	gotFinSeen   bool // e's own segment showed it when it was first known
	finLost      bool // the FIN came again: its first transmission proves nothing
	finSeen      bool
	before       [2]sighting // those before the newest
	burst        *burst      // those before that; nil until a segment was captured twice
}

// rel returns the position of a header's sequence number in h's stream.
func (h *half) rel(v seqnum.Value) int64 { return h.nxt + int64(v.Diff(h.nxtAbs)) }

// dataSeq returns where the newest segment that takes sequence space begins.
func (h *half) dataSeq() int64 { return h.datEnd - int64(h.dataLen) }

// payload returns pos, or where h's data ends if that is before: a FIN is no data.
func (h *half) payload(pos int64) int64 {
	if h.finEnd != 0 {
		return min(pos, h.finEnd-1)
	}
	return pos
}

// base fixes h's numbering: v stands at position at.
func (h *half) base(v seqnum.Value, at int64) {
	h.based, h.nxtAbs, h.nxt, h.una, h.low = true, v, at, at, at
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
	again                   bool   // it repeats what is not listed
	ref                     uint64 // frame that the reason names
}

// set copies o field by field: to copy it as a whole stalls the core until the small writes that
// made it have settled.
func (r *record) set(o *record) {
	r.frame, r.repeats, r.answers, r.time = o.frame, o.repeats, o.answers, o.time
	r.seq, r.ack, r.length, r.window = o.seq, o.ack, o.length, o.window
	r.flags, r.from, r.kind = o.flags, o.from, o.kind
	r.ignored, r.again, r.ref = o.ignored, o.again, o.ref
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
