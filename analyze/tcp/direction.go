package tcp

import (
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// Direction is what one end sent, and what its peer said of that. Sequence numbers are relative
// to the initial one and do not wrap.
type Direction struct {
	Nxt     int64 // SND.NXT: end of what was sent
	Una     int64 // SND.UNA: end of what the peer acknowledged
	lastAck int64
	Bytes   uint64

	dataFrame uint64 // newest segment that takes sequence space or asks for an answer
	datEnd    int64
	LastTime  event.Time
	lastSight uint64 // frame of the newest segment, at LastTime

	nxtAbs     seqnum.Value // header value at Nxt
	dataLen    uint32
	lastSum    uint32 // of the newest segment, as sighting's
	lastAt     uint32
	Packets    uint32
	tsVal      uint32
	tsEcho     uint32 // the newest timestamp of the peer that this end says it has taken
	window     uint16
	ipid       uint16
	Tries      uint16 // retransmissions and keep-alives since the peer was last heard
	keepalives uint16 // of these, keep-alives
	TTL        uint8
	ipidMoves  uint8
	ttlVaries  bool
	hasTS      bool
	Sent       bool
	Based      bool
	SentAgain  bool // what stands before the FIN came so long after it that it was no first transmission
	State      event.TCPState

	Gaps   []Span   // what was not captured in order, and not since
	Holes  int64    // bytes in gaps
	low    int64    // where what was captured begins
	Alerts Span     // the newest payload that is TLS alerts and nothing else
	stalls [2]stall // the one that goes on, and the longest of those before
	Reach  int64    // the highest number that a segment stands at: what lies before it was sent
	FinEnd int64    // position after the FIN; 0 without one

	SynFrame, FinFrame uint64
	FinAckFrame        uint64
	FinAckTime         event.Time
	finAckAgain        uint64 // newest segment that acknowledges the FIN too
	finAckAgainTime    event.Time
	AtFin              AtFin
	DataFinFrame       uint64 // MPTCP's end of this direction's stream
	DataFinTime        event.Time
	probed             [2]event.Time // the newest two retransmissions or keep-alives since the peer was last heard
	FinTime            event.Time
	gotFinFrame        uint64
	gotFinTime         event.Time
	BytesAtPeerFin     uint64
	BytesAckedAfterFin uint64

	AckStep      int64 // how far the newest acknowledgement of it moved past Nxt
	AckStepFrame uint64
	provoked     uint64 // frame of this end that its peer must answer with a challenge ACK
	DrewUnseen   uint64 // frame of its peer, past its FIN, that only something of this end can have drawn that was not captured
	Retransmits  uint32
	Stale        uint32 // segments with an older timestamp than the peer had taken
	resentTo     uint32 // the end of what was sent again, of Nxt's lower half
	copyAt       uint32 // where packets were captured once more, with copyTTL
	copyTTL      uint8
	wscale       uint8
	SynSent      bool
	SACK         bool // its SYN permits selective acknowledgments
	cookie       bool // its SYN brought a Fast Open cookie
	AcksFin      bool // its stack seems to acknowledge a FIN at once, never first by a FIN of its own
	synAckSent   bool
	gotFin       proof
	gotFinSeen   bool // e's own segment showed it when it was first known
	FinLost      bool // the FIN came again: its first transmission proves nothing
	FinSeen      bool
	PastFin      bool        // data behind the FIN were sent or acknowledged: nobody took that FIN
	FinTwice     bool        // another FIN came behind the one that was acknowledged: whether its sender knew of that is not known
	before       [2]sighting // those before the newest
	burst        *burst      // those before that; nil until a segment was captured twice
}

// AtFin is what stood in the capture when the first FIN of an end came: whether its peer had ended
// before is told by that.
type AtFin struct {
	Acked       int64      // what the FIN acknowledged
	PeerNxt     int64      // the end of what had been captured of the peer
	PeerReach   int64      // where its newest segments stood
	Before      event.Time // when its sender's segment before it was captured
	LastOfPeer  event.Time // when the newest segment of the peer was captured
	DataBefore  uint32     // how many frames before it the newest segment of the peer came, if that was payload in flight and acknowledged all but the FIN; 0 if not
	PeerSeen    bool       // something of the peer had been captured
	PeerAlive   bool       // a SYN or payload of the peer had been captured: it had not ended before that
	Late        bool       // the peer had acknowledged the FIN already, its sender gone on behind it, or it comes with data that is sent again
	AckedWithin bool       // the peer acknowledged the FIN with a segment in which it went on, or that stands before its own FIN
}

// ISN returns the initial sequence number as the header has it, false when no SYN told it.
func (d *Direction) ISN() (uint32, bool) {
	return uint32(d.nxtAbs) - uint32(d.Nxt), d.SynFrame != 0
}

// IsResent reports whether something was sent again of what nobody has acknowledged.
func (d *Direction) IsResent() bool { return d.Retransmits > 0 && int32(d.resentTo-uint32(d.Una)) > 0 }

// rel returns the position of a header's sequence number in d's stream.
func (d *Direction) rel(v seqnum.Value) int64 { return d.Nxt + int64(v.Diff(d.nxtAbs)) }

// header returns what stands in a header for a position in d's stream.
func (d *Direction) header(pos int64) seqnum.Value {
	return seqnum.Value(uint32(d.nxtAbs) + uint32(pos-d.Nxt))
}

// dataSeq returns where the newest segment that takes sequence space begins.
func (d *Direction) dataSeq() int64 { return d.datEnd - int64(d.dataLen) }

// Payload returns pos, or where d's data ends if that is before: a FIN is no data.
func (d *Direction) Payload(pos int64) int64 {
	if d.FinEnd != 0 {
		return min(pos, d.FinEnd-1)
	}
	return pos
}

// base fixes d's numbering: v stands at position at.
func (d *Direction) base(v seqnum.Value, at int64) {
	d.Based, d.nxtAbs, d.Nxt, d.Una, d.low = true, v, at, at, at
}

// advance moves the end of what was sent to pos, which v is in headers.
func (d *Direction) advance(pos int64, v seqnum.Value) { d.Nxt, d.nxtAbs = pos, v }

// alert notes TLS alerts of n bytes at seq; those that follow each other are one span.
func (d *Direction) alert(seq, n int64) {
	if seq < d.Alerts.From || seq > d.Alerts.To {
		d.Alerts.From = seq
	}
	d.Alerts.To = max(d.Alerts.To, seq+n)
}

// AlertsAfter counts the bytes from pos on that are TLS alerts, up to the end of what was sent.
func (d *Direction) AlertsAfter(pos int64) uint64 {
	if d.Alerts.To < d.Payload(d.Nxt) {
		return 0 // data came after them
	}
	return uint64(max(0, d.Alerts.To-max(pos, d.Alerts.From)))
}
