// Package compat says what Zeek, Wireshark and tcptrace would say of a connection: it follows its
// segments beside tcp, as those tools do, where they see them otherwise.
package compat

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

// Tools follows a connection as other tools do.
type Tools struct {
	skipped    bool  // nobody asks
	shark      uint8 // bits of Wireshark's tcp.completeness
	sharkFirst uint8 // those of a first packet that began mid-stream, until another follows
	zeek       zeekConn
	letterRoom [16]byte
}

// Clear forgets what is known of the connection. With skip it follows no other, until it is cleared again: what it says
// of it is then empty.
func (t *Tools) Clear(skip bool) {
	if t.skipped = skip; skip {
		return
	}
	t.zeek = zeekConn{letters: t.letterRoom[:0]}
	t.shark, t.sharkFirst = 0, 0
}

// Segment takes a segment that stands at seq and ack in the streams of fl, before fl follows it.
func (t *Tools) Segment(fl *tcp.Flow, e tcp.End, s *event.Segment, seq, ack int64) {
	if t.skipped {
		return
	}
	if b := sharkBits(fl, s); fl.FirstFrame == s.Frame && b&sharkSyn == 0 {
		t.sharkFirst = b
	} else {
		t.shark |= b | t.sharkFirst
		t.sharkFirst = 0
	}
	t.zeek.segment(fl, e, s, seq, ack)
}

// Steady reports whether Usual may take the next segment, when nothing about the connection is
// unusual otherwise.
func (t *Tools) Steady() bool {
	if t.skipped {
		return true
	}
	c, s := &t.zeek.ends[tcp.Client], &t.zeek.ends[tcp.Server]
	return t.sharkFirst == 0 && t.zeek.ended == 0 && c.state != zeekInactive && s.state != zeekInactive && c.cut.To == 0 && s.cut.To == 0
}

// Usual takes a segment of a steady connection: data in order, or an acknowledgement.
func (t *Tools) Usual(e tcp.End, s *event.Segment) {
	switch {
	case t.skipped:
		return
	case s.Len == 0:
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
func sharkBits(fl *tcp.Flow, s *event.Segment) uint8 {
	var b uint8
	switch s.Flags & (event.SYN | event.ACK) {
	case event.SYN:
		if fl.FirstFrame == s.Frame {
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
func (t *Tools) tcptrace(fl *tcp.Flow) string {
	syns, fins, oneWay := 0, 0, false
	rsts := t.shark&sharkRst != 0 // also what came after Zeek had let go
	for e := range fl.Dir {
		d := &fl.Dir[e]
		oneWay = oneWay || d.Packets == 0
		if d.SynSent {
			syns++
		}
		if d.FinSeen {
			fins++
		}
		rsts = rsts || t.zeek.ends[e].has[zeekRst] || t.zeek.single[e]&zeekOnceI != 0
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

// History returns Zeek's history, good until the next segment.
func (t *Tools) History() []byte {
	if t.skipped {
		return nil
	}
	return t.zeek.letters
}

// Compat says what other tools would say of fl, with Zeek's history as a string.
func (t *Tools) Compat(fl *tcp.Flow, history string) analyze.Compat {
	if t.skipped {
		return analyze.Compat{}
	}
	return analyze.Compat{
		ZeekConnState: t.zeek.connState(),
		ZeekHistory:   history,
		Completeness:  int(t.shark),
		Tcptrace:      t.tcptrace(fl),
	}
}
