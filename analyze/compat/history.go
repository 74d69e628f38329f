package compat

import (
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

// The letters that appear once a direction, as bits.
const (
	zeekOnceA = 1 << iota
	zeekOnceD
	zeekOnceI
	zeekOnceQ
)

// history logs the letter of a segment's flags.
func (z *zeekConn) history(zh *zeekEnd, e tcp.End, s *event.Segment) {
	at := uint32(s.Seq) - zh.start
	switch flags := s.Flags & (event.SYN | event.FIN | event.RST); {
	case flags == event.SYN && s.Flags&event.ACK == 0:
		z.changed(e, 's', zh, zeekSyn, at)
	case flags == event.SYN:
		z.changed(e, 'h', zh, zeekSyn, at)
	case flags == event.FIN:
		z.changed(e, 'f', zh, zeekFin, at+s.Len)
	case flags == event.RST:
		z.changed(e, 'r', zh, zeekRst, at)
	case flags&(event.FIN|event.RST) == event.FIN|event.RST:
		z.once(e, 'i', zeekOnceI)
	case flags != 0:
		z.once(e, 'q', zeekOnceQ)
	case s.Len > 0:
		z.once(e, 'd', zeekOnceD)
	case s.Flags&event.ACK != 0:
		z.once(e, 'a', zeekOnceA)
	}
}

func (z *zeekConn) log(e tcp.End, letter byte) {
	if e == z.orig {
		letter -= 'a' - 'A'
	}
	z.letters = append(z.letters, letter)
}

func (z *zeekConn) once(e tcp.End, letter byte, bit uint8) {
	if z.single[e]&bit == 0 {
		z.single[e] |= bit
		z.log(e, letter)
	}
}

func (z *zeekConn) changed(e tcp.End, letter byte, zh *zeekEnd, i int, seq uint32) {
	if !zh.has[i] || zh.logged[i] != seq {
		zh.has[i], zh.logged[i] = true, seq
		z.log(e, letter)
	}
}

// counted logs a letter at its 1st, 10th, 100th… occurrence.
func (z *zeekConn) counted(e tcp.End, letter byte, n *uint32) {
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
