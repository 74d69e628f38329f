package compat

import (
	"slices"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

// zeekConn follows a connection as Zeek does: doc/compat.md says how.
type zeekConn struct {
	single  [2]uint8 // which letters of those that appear once did
	begun   bool     // orig is chosen
	orig    tcp.End
	letters []byte
	ended   event.Time // when Zeek had seen it closed; 0 while open
	ends    [2]zeekEnd
}

// zeekEnd is one end as Zeek sees it.
type zeekEnd struct {
	state, before zeekState // before is what it was until the last change
	start, last   uint32    // sequence numbers: of its SYN, and the one after the highest it used
	fin           uint32    // that after its FIN
	logged        [3]uint32 // of the newest SYN, FIN, RST: where it stood, from start on
	has           [3]bool   // that there was one
	gaps, again   uint32
	zero, badSums uint32
	peerAck       uint32   // the highest acknowledgement of it
	fins, did     bool     // it sent a FIN; Zeek took its close for complete
	closeAt       int64    // where its FIN or RST stands
	acked         int64    // up to where gaps were looked for
	cut           tcp.Span // payload that Zeek did not get whole, and nobody has acknowledged: to Zeek a gap
}

// What logged and has are of.
const (
	zeekSyn = iota
	zeekFin
	zeekRst
)

type zeekState uint8

const (
	zeekInactive zeekState = iota
	zeekPartial
	zeekSynSent
	zeekSynAckSent
	zeekEstablished
	zeekClosed
	zeekReset
)

const (
	// zeekLinger is how long Zeek keeps a closed connection.
	zeekLinger = event.Time(5e9)
	// zeekFar is how far from the others the number of a SYN or RST may lie to be believed.
	zeekFar = 1 << 20
)

// zeekServerPorts are ports whose owner Zeek takes for the server when it saw no SYN.
var zeekServerPorts = [...]uint16{
	21, 22, 25, 53, 80, 81, 88, 110, 135, 139, 143, 389, 443, 445, 465, 502, 514, 563, 585, 587, 614,
	631, 636, 989, 990, 992, 993, 995, 1080, 1883, 2811, 3128, 3268, 3306, 3389, 5060, 5061, 5222,
	5223, 5269, 5432, 5900, 6379, 6666, 6667, 6668, 6669, 8000, 8080, 8888, 20000,
}

func zeekServerPort(p uint16) bool {
	return slices.Contains(zeekServerPorts[:], p)
}

// begin chooses the originator: the sender of the first packet, unless that is no SYN and comes
// from a server's port.
func (z *zeekConn) begin(fl *tcp.Flow, s *event.Segment) {
	z.orig = tcp.Client
	if s.Src != fl.Addr[tcp.Client] {
		z.orig = tcp.Server
	}
	from, to := s.Src.Port(), s.Dst.Port()
	if s.Flags&(event.SYN|event.ACK) == event.SYN || !zeekServerPort(from) {
		return
	}
	if !zeekServerPort(to) || s.Flags&event.SYN == 0 && from < to {
		z.flip()
	}
}

func (z *zeekConn) flip() {
	z.orig = z.orig.Other()
	z.letters = append(z.letters, '^')
}

// segment takes in a segment before the flow's own numbers move.
func (z *zeekConn) segment(fl *tcp.Flow, e tcp.End, s *event.Segment, seq, ack int64) {
	if z.ended != 0 && s.Time-z.ended >= zeekLinger {
		return // forgotten
	}
	if s.Has&(event.OptionsTruncated|event.BadIPChecksum) != 0 { // no packet to Zeek
		if z.begun {
			z.ends[e].miss(s, seq)
		}
		return
	}
	if !z.begun {
		z.begun = true
		z.begin(fl, s)
	}
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	zh, zp := &z.ends[e], &z.ends[e.Other()]
	if s.Has&event.BadChecksum != 0 {
		z.counted(e, 'c', &zh.badSums)
		zh.miss(s, seq)
		return
	}
	if s.Flags&(event.SYN|event.FIN|event.RST) == 0 && string(z.letters) == "H" {
		z.unanswered()
	}
	reversed := zh.state == zeekInactive && zp.state == zeekSynAckSent && zh.start == uint32(s.Seq)
	next := zh.number(s)
	z.history(zh, e, s)
	if s.Window == 0 && s.Flags&event.RST == 0 && zp.state != zeekClosed && zh.state != zeekReset {
		z.counted(e, 'w', &zh.zero)
	}
	if s.Flags&event.ACK != 0 {
		zp.acknowledge(s)
	}
	if zh.advance(s, next) {
		z.counted(e, 't', &zh.again)
	} else if s.Has&event.Truncated != 0 && s.Flags&event.RST == 0 {
		zh.miss(s, seq)
	} else if zh.cut.To != 0 && seq <= zh.cut.From && seq+int64(s.Len) >= zh.cut.To {
		zh.cut = tcp.Span{} // now it came whole
	}
	z.move(e, zh, zp, s, reversed)
	if s.Flags&event.FIN != 0 {
		zh.fins, zh.fin = true, next
	}
	if s.Flags&event.ACK != 0 && p.Based {
		z.reveal(e, p, s, ack)
	}
	if s.Flags&(event.FIN|event.RST) != 0 {
		zh.closeAt = seq
	}
	z.end(zh, zp, d, p, s)
	z.end(zp, zh, p, d, s)
}

// unanswered flips the roles where a SYN,ACK came first, and then data or an ACK: no port scan's
// SYN,ACK is followed by either.
func (z *zeekConn) unanswered() {
	z.ends[z.orig].set(zeekEstablished)
	z.letters = z.letters[:0]
	z.flip()
	z.log(z.orig.Other(), 'h')
}

// acknowledge notes what the peer's segment s says it has of an end.
func (zh *zeekEnd) acknowledge(s *event.Segment) {
	switch ack := uint32(s.Ack); {
	case zh.state == zeekInactive:
		zh.start, zh.peerAck = ack-1, ack-1
	case s.Flags&event.RST == 0 && int32(ack-zh.peerAck) > 0:
		zh.peerAck = ack
	}
}

// sentNothing reports whether Zeek knows of no payload of an end.
func (zh *zeekEnd) sentNothing() bool {
	size := zh.last - zh.start
	if int32(zh.peerAck-zh.last) > 0 {
		size = zh.peerAck - zh.start
	}
	return size <= 1 || size == 2 && zh.fins // of the SYN and the FIN
}

// end lets an end's close come into effect once nothing before it is missing, and all that its
// peer sent is acknowledged. From then on Zeek keeps the connection for some seconds, unless the
// peer is still to close.
func (z *zeekConn) end(zh, zp *zeekEnd, d, p *tcp.Direction, s *event.Segment) {
	if zh.state < zeekClosed || zh.did || zh.closeAt > zh.delivered(d) ||
		zh.state != zeekReset && p.Payload(p.Nxt) > max(p.Una, zp.acked, 1) {
		return
	}
	zh.did = true
	if zh.state == zeekReset || zp.did || zp.state == zeekInactive {
		z.ended = s.Time
	}
}

// delivered returns up to where Zeek has, or has given up, the payload of an end.
func (zh *zeekEnd) delivered(d *tcp.Direction) int64 {
	for _, g := range d.Gaps {
		if g.To > zh.acked {
			return max(g.From, zh.acked)
		}
	}
	return max(d.Nxt, zh.acked)
}

// base fixes where the numbers of an end begin, and the one after the highest it used.
func (zh *zeekEnd) base(start, last uint32) { zh.start, zh.peerAck, zh.last = start, start, last }

// number notes where the numbers of an end begin, and returns the one after s.
func (zh *zeekEnd) number(s *event.Segment) uint32 {
	next := uint32(s.End())
	if s.Flags&event.RST != 0 {
		next -= s.Len // what an RST carries is no data
	}
	syn := s.Flags&event.SYN != 0
	switch {
	case zh.state == zeekInactive && !syn:
		zh.base(uint32(s.Seq)-1, uint32(s.Seq))
	case syn && (zh.state < zeekClosed || zh.state == zeekReset && zh.before == zeekInactive):
		if zh.state != zeekSynSent && zh.state != zeekSynAckSent || zh.start != uint32(s.Seq) {
			zh.base(uint32(s.Seq), next)
		}
	}
	return next
}

// advance notes how far an end has come, and reports whether s brings only payload that lies
// before: again, late, or a keep-alive's byte.
func (zh *zeekEnd) advance(s *event.Segment, next uint32) bool {
	moved := int32(next - zh.last)
	switch {
	case s.Flags&(event.SYN|event.RST) != 0 && (moved > zeekFar || moved < -zeekFar):
	case s.Flags&event.FIN != 0 && zh.last == zh.start+1:
		zh.last = next
	case zh.state == zeekReset:
	case moved > 0:
		zh.last = next
	default:
		return s.Len > 0
	}
	return false
}

func (zh *zeekEnd) set(to zeekState) {
	if to != zh.state {
		zh.before, zh.state = zh.state, to
	}
}

// move moves the states.
func (z *zeekConn) move(e tcp.End, zh, zp *zeekEnd, s *event.Segment, reversed bool) {
	syn, fin, rst := s.Flags&event.SYN != 0, s.Flags&event.FIN != 0, s.Flags&event.RST != 0
	switch zh.state {
	case zeekInactive:
		z.wake(e, zh, zp, s, reversed)
	case zeekSynSent, zeekSynAckSent:
		if fin {
			zh.set(zeekClosed)
		}
		if rst {
			zh.set(zeekReset)
		}
	case zeekPartial, zeekEstablished:
		switch {
		case rst:
			zh.set(zeekReset)
		case fin:
			zh.set(zeekClosed)
			if zp.state == zeekReset && zp.before == zeekClosed {
				zp.set(zeekClosed)
			}
		case syn && s.Flags&event.ACK == 0 && zh.state == zeekPartial && zp.state == zeekInactive:
			zh.set(zeekSynSent)
		}
	case zeekClosed:
		if rst && zp.state != zeekClosed {
			zh.set(zeekReset)
		}
	}
}

// wake takes the first segment of an end. That a SYN came the way back is enough for Zeek to take
// the connection for established.
func (z *zeekConn) wake(e tcp.End, zh, zp *zeekEnd, s *event.Segment, reversed bool) {
	ack, orig := s.Flags&event.ACK != 0, e == z.orig
	switch {
	case s.Flags&event.SYN == 0:
	case orig && ack:
		zh.set(zeekSynAckSent)
	case orig:
		zh.set(zeekSynSent)
	default:
		if !ack && reversed { // the SYN,ACK was captured before the SYN
			z.flip()
			zp.set(zeekEstablished)
		}
		if zp.state == zeekSynSent {
			zp.set(zeekEstablished)
		}
		zh.set(zeekEstablished)
	}
	if s.Flags&event.FIN != 0 {
		zh.set(zeekClosed)
	}
	if s.Flags&event.RST != 0 {
		zh.set(zeekReset)
	}
	switch {
	case zh.state != zeekInactive:
	case !orig && s.Len == 0 && zp.state == zeekSynSent:
	case ack && zp.state == zeekEstablished:
		zh.set(zeekEstablished)
	default:
		zh.set(zeekPartial)
	}
}

// clean reports whether an end is, or was until it closed, established.
func (zh *zeekEnd) clean() bool {
	return zh.state == zeekEstablished || zh.state == zeekClosed && zh.before == zeekEstablished
}

// reveal logs the gaps in the stream of p that an acknowledgement by e up to ack shows.
func (z *zeekConn) reveal(e tcp.End, p *tcp.Direction, s *event.Segment, ack int64) {
	zh, zp := &z.ends[e], &z.ends[e.Other()]
	if beyond := int32(uint32(s.Ack) - zp.fin); zp.fins && beyond >= 0 {
		ack -= int64(beyond) + 1 // a FIN is no data
	}
	from := max(zp.acked, 1)
	if ack <= from {
		return
	}
	zp.acked = ack
	cut := zp.cut.To > from && zp.cut.From < ack
	if zp.cut.To <= ack {
		zp.cut = tcp.Span{}
	}
	if s.Flags&(event.FIN|event.RST) != 0 || !p.Sent || !zh.clean() || !zp.clean() {
		return
	}
	for _, g := range p.Gaps {
		if g.To > from && g.From < ack {
			z.counted(e.Other(), 'g', &zp.gaps)
		}
	}
	if cut || ack > max(p.Payload(p.Nxt), from) {
		z.counted(e.Other(), 'g', &zp.gaps)
	}
}

// miss notes payload that Zeek did not get whole.
func (zh *zeekEnd) miss(s *event.Segment, seq int64) {
	if s.Len == 0 {
		return
	}
	if zh.cut == (tcp.Span{}) {
		zh.cut.From = seq
	}
	zh.cut.From, zh.cut.To = min(zh.cut.From, seq), max(zh.cut.To, seq+int64(s.Len))
}
