package analyze

import (
	"fmt"

	"github.com/closecap/closecap/analyze/event"
)

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
func tcptrace(fl *flow) string {
	syns, fins, oneWay := 0, 0, false
	rsts := fl.shark&sharkRst != 0 // also what came after Zeek had let go
	for e := range fl.half {
		h := &fl.half[e]
		oneWay = oneWay || h.packets == 0
		if h.synSent {
			syns++
		}
		if h.finSeen {
			fins++
		}
		rsts = rsts || h.zeek.has[zeekRst] || h.letters&zeekOnceI != 0
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

// compat fills what other tools would say.
func (fl *flow) compat(memory *texts) Compat {
	return Compat{
		ZeekConnState: fl.zeek.connState(fl),
		ZeekHistory:   memory.keep(fl.zeek.letters),
		Completeness:  int(fl.shark),
		Tcptrace:      tcptrace(fl),
	}
}
