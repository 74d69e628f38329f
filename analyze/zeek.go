package analyze

import (
	"strings"

	"closecap/analyze/event"
)

// zeekFlow follows a connection as Zeek does (COMPAT: conn_state and history).
type zeekFlow struct {
	orig    end
	flipped bool
	letters []byte
	ended   event.Time // when Zeek had seen it closed; 0 while open
}

// zeekHalf is one end as Zeek sees it.
type zeekHalf struct {
	state         zeekState
	finSent       bool
	last          [4]uint32 // of S, H, F, R: the sequence number logged last
	has           [4]bool
	gaps, again   uint32
	zero, badSums uint32
	bytes         bool
	gapAt         int64
}

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

// zeekLinger is how long Zeek keeps a closed connection.
const zeekLinger = event.Time(5e9)

// zeekServerPorts are ports whose owner Zeek takes for the server when it saw no SYN.
var zeekServerPorts = [...]uint16{
	21, 22, 25, 53, 80, 81, 88, 110, 139, 143, 389, 443, 445, 465, 502, 514, 563, 585, 587, 614,
	631, 636, 989, 990, 992, 993, 995, 1080, 1883, 3128, 3268, 3306, 3389, 5060, 5061, 5222,
	5223, 5269, 5432, 5900, 6379, 6666, 6667, 6668, 6669, 8000, 8080, 8888, 20000,
}

func zeekServerPort(p uint16) bool {
	for _, q := range zeekServerPorts {
		if p == q {
			return true
		}
	}
	return false
}

// begin chooses the originator: the sender of the first packet, unless that is a SYN,ACK or
// comes from a server's port.
func (z *zeekFlow) begin(fl *flow, s *event.Segment) {
	z.letters = z.letters[:0]
	from := client
	if s.Src != fl.addr[client] {
		from = server
	}
	z.orig = from
	syn := s.Flags & (event.SYN | event.ACK)
	flip := syn == event.SYN|event.ACK ||
		syn&event.SYN == 0 && zeekServerPort(s.Src.Port()) && !zeekServerPort(s.Dst.Port())
	if flip {
		z.orig, z.flipped = from.other(), true
		z.letters = append(z.letters, '^')
	}
}

// segment takes in a segment before the flow's own numbers move.
func (z *zeekFlow) segment(fl *flow, e end, s *event.Segment, r *record) {
	if z.ended != 0 && s.Time-z.ended > zeekLinger {
		return
	}
	h, p := &fl.half[e], &fl.half[e.other()]
	z.history(fl, e, s, r)
	zh, zp := &h.zeek, &p.zeek
	if s.Len > 0 {
		zh.bytes = true
	}
	switch {
	case s.Flags&(event.FIN|event.RST) == event.FIN|event.RST, s.Flags&event.RST != 0:
		z.reset(zh, zp)
	case s.Flags&event.SYN != 0:
		z.syn(zh, s)
	case s.Flags&event.FIN != 0:
		zh.finSent = true
		zh.state = zeekClosed
		if zp.state == zeekReset && zp.finSent {
			zp.state = zeekClosed
		}
	default:
		z.plain(e, zh, zp, s)
	}
	if z.ended == 0 && (zh.state == zeekReset || zh.state == zeekClosed && zp.state >= zeekClosed) {
		z.ended = s.Time
	}
}

func (z *zeekFlow) syn(zh *zeekHalf, s *event.Segment) {
	if zh.state >= zeekEstablished {
		return
	}
	zh.state = zeekSynSent
	if s.Flags&event.ACK != 0 {
		zh.state = zeekSynAckSent
	}
}

func (z *zeekFlow) reset(zh, zp *zeekHalf) {
	if zh.state == zeekClosed && zp.state == zeekClosed {
		return
	}
	zh.state = zeekReset
}

// plain takes a segment without SYN, FIN and RST.
func (z *zeekFlow) plain(e end, zh, zp *zeekHalf, s *event.Segment) {
	switch zh.state {
	case zeekInactive:
		zh.state = zeekPartial
	case zeekSynSent, zeekSynAckSent:
		if s.Flags&event.ACK == 0 {
			return
		}
		switch {
		case zp.state == zeekSynAckSent && (e == z.orig || zh.state == zeekSynAckSent):
			zh.state, zp.state = zeekEstablished, zeekEstablished
		case zp.state == zeekEstablished:
			zh.state = zeekEstablished
		}
	}
}

// The letters that appear once a direction, as bits.
const (
	zeekOnceA = 1 << iota
	zeekOnceD
	zeekOnceI
	zeekOnceQ
)

// history logs a segment's letters.
func (z *zeekFlow) history(fl *flow, e end, s *event.Segment, r *record) {
	h, p := &fl.half[e], &fl.half[e.other()]
	zh := &h.zeek
	if s.Has&event.BadChecksum != 0 {
		z.counted(e, 'c', &zh.badSums)
	}
	flags := s.Flags & (event.SYN | event.FIN | event.RST)
	switch {
	case flags == event.SYN && s.Flags&event.ACK == 0:
		z.changed(e, 's', zh, 0, uint32(s.Seq))
	case flags == event.SYN:
		z.changed(e, 'h', zh, 1, uint32(s.Seq))
	case flags == event.FIN:
		z.changed(e, 'f', zh, 2, uint32(s.Seq.Add(s.Len)))
	case flags == event.RST:
		z.changed(e, 'r', zh, 3, uint32(s.Seq))
	case flags == event.FIN|event.RST:
		z.once(e, 'i', h, zeekOnceI)
	case flags != 0:
		z.once(e, 'q', h, zeekOnceQ)
	case s.Len > 0:
		z.once(e, 'd', h, zeekOnceD)
	case s.Flags&event.ACK != 0:
		z.once(e, 'a', h, zeekOnceA)
	}
	if flags&event.RST != 0 {
		return
	}
	if s.Len > 0 && h.based && h.sent && r.seq < h.nxt && r.kind != kKeepalive && !h.inGap(r.seq, r.end()) {
		z.counted(e, 't', &zh.again)
	}
	if s.Window == 0 && s.Flags&event.SYN == 0 && p.finEnd == 0 && fl.rst.frame == 0 {
		z.counted(e, 'w', &zh.zero)
	}
	if flags == 0 && s.Flags&event.ACK != 0 && p.sent {
		for _, g := range p.gaps {
			if g.to > p.zeek.gapAt && g.to <= r.ack {
				p.zeek.gapAt = g.to
				z.counted(e.other(), 'g', &p.zeek.gaps)
			}
		}
	}
}

func (z *zeekFlow) log(e end, letter byte) {
	if e == z.orig {
		letter -= 'a' - 'A'
	}
	z.letters = append(z.letters, letter)
}

func (z *zeekFlow) once(e end, letter byte, h *half, bit uint8) {
	if h.letters&bit == 0 {
		h.letters |= bit
		z.log(e, letter)
	}
}

func (z *zeekFlow) changed(e end, letter byte, zh *zeekHalf, i int, seq uint32) {
	if !zh.has[i] || zh.last[i] != seq {
		zh.has[i], zh.last[i] = true, seq
		z.log(e, letter)
	}
}

// counted logs a letter at its 1st, 10th, 100th… occurrence.
func (z *zeekFlow) counted(e end, letter byte, n *uint32) {
	*n++
	for m := *n; ; m /= 10 {
		if m == 1 {
			z.log(e, letter)
			return
		}
		if m%10 != 0 {
			return
		}
	}
}

// connState is Zeek's conn_state: the first of COMPAT's rules that matches.
func (z *zeekFlow) connState(fl *flow) string {
	oh, rh := &fl.half[z.orig].zeek, &fl.half[z.orig.other()].zeek
	o, r := oh.state, rh.state
	oInactive, rInactive := o <= zeekPartial, r <= zeekPartial
	switch {
	case r == zeekReset:
		switch {
		case o == zeekSynSent || o == zeekSynAckSent, o == zeekReset && !oh.bytes && !rh.bytes:
			return "REJ"
		case oInactive:
			return "RSTRH"
		}
		return "RSTR"
	case o == zeekReset:
		switch {
		case !rInactive:
			return "RSTO"
		case abandoned(string(z.letters)):
			return "RSTOS0"
		}
		return "OTH"
	case o == zeekClosed && r == zeekClosed:
		return "SF"
	case o == zeekClosed:
		if rInactive {
			return "SH"
		}
		return "S2"
	case r == zeekClosed:
		if oInactive {
			return "SHR"
		}
		return "S3"
	case o == zeekSynSent && r == zeekInactive:
		return "S0"
	case o == zeekEstablished && r == zeekEstablished:
		return "S1"
	}
	return "OTH"
}

// abandoned matches a history of a SYN, then no H, A, F, G, I, Q of the originator, then R.
func abandoned(history string) bool {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(history, "^"), "S")
	if !ok {
		return false
	}
	before, _, found := strings.Cut(rest, "R")
	return found && !strings.ContainsAny(before, "HAFGIQ")
}
