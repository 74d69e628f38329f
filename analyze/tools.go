package analyze

import (
	"fmt"

	"github.com/closecap/closecap/analyze/event"
)

// tools follows a connection as other tools do.
type tools struct {
	zeek       zeekFlow
	shark      uint8 // bits of Wireshark's tcp.completeness
	letterRoom [16]byte
}

// clear forgets what is known of the connection.
func (t *tools) clear() {
	t.zeek = zeekFlow{letters: t.letterRoom[:0]}
	t.shark = 0
}

// begin takes the first segment of fl.
func (t *tools) begin(fl *flow, s *event.Segment) { t.zeek.begin(fl, s) }

// segment takes a segment that stands at seq and ack in the streams of fl, before fl follows it.
func (t *tools) segment(fl *flow, e end, s *event.Segment, seq, ack int64) {
	t.shark |= sharkBits(fl, s)
	t.zeek.segment(fl, e, s, seq, ack)
}

// steady reports whether usual may take the next segment, when nothing about the connection is
// unusual otherwise.
func (t *tools) steady() bool {
	c, s := &t.zeek.ends[client], &t.zeek.ends[server]
	return t.zeek.ended == 0 && c.state != zeekInactive && s.state != zeekInactive && c.cut.to == 0 && s.cut.to == 0
}

// usual takes a segment of a steady connection: data in order, or an acknowledgement.
func (t *tools) usual(e end, s *event.Segment) {
	if s.Len == 0 {
		t.shark |= sharkAck
		t.zeek.once(e, 'a', zeekOnceA)
		return
	}
	t.shark |= sharkData
	t.zeek.once(e, 'd', zeekOnceD)
	t.zeek.ends[e].last = uint32(s.End())
}

// The bits of Wireshark's tcp.completeness.
const (
	sharkSyn = 1 << iota
	sharkSynAck
	sharkAck
	sharkData
	sharkFin
	sharkRst
)

// sharkBits returns what s adds to tcp.completeness.
func sharkBits(fl *flow, s *event.Segment) uint8 {
	first := fl.firstFrame == s.Frame
	if first && s.Flags&(event.SYN|event.ACK) != event.SYN {
		return 0
	}
	var b uint8
	switch s.Flags & (event.SYN | event.ACK) {
	case event.SYN:
		if first {
			b |= sharkSyn
		}
		if s.Len > 0 {
			b |= sharkData
		}
	case event.SYN | event.ACK:
		b |= sharkSynAck
	case event.ACK:
		if s.Len > 0 {
			b |= sharkData
		} else {
			b |= sharkAck
		}
	}
	if s.Flags&(event.FIN|event.ACK) == event.FIN|event.ACK {
		b |= sharkFin
	}
	if s.Flags&event.RST != 0 {
		b |= sharkRst
	}
	return b
}

// tcptrace returns tcptrace's class of a connection.
func (t *tools) tcptrace(fl *flow) string {
	syns, fins, oneWay := 0, 0, false
	rsts := t.shark&sharkRst != 0 // also what came after Zeek had let go
	for e := range fl.half {
		h := &fl.half[e]
		oneWay = oneWay || h.packets == 0
		if h.synSent {
			syns++
		}
		if h.finSeen {
			fins++
		}
		zh := &t.zeek.ends[e]
		rsts = rsts || zh.has[zeekRst] || zh.once&zeekOnceI != 0
	}
	switch {
	case rsts:
		return "reset"
	case syns == 2 && fins == 2:
		return "complete"
	case oneWay:
		return "unidirectional"
	}
	return fmt.Sprintf("incomplete (%d SYN, %d FIN)", syns, fins)
}

// compat says what other tools would say of fl, with Zeek's history as a string.
func (t *tools) compat(fl *flow, history string) Compat {
	return Compat{
		ZeekConnState: t.zeek.connState(),
		ZeekHistory:   history,
		Completeness:  int(t.shark),
		Tcptrace:      t.tcptrace(fl),
	}
}
