package tcp

import (
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Kind is an analyze.Kind in one byte.
type Kind uint8

const (
	KindOther Kind = iota
	KindSyn
	KindSynAck
	KindData
	KindFin
	KindAck
	KindRst
	KindKeepalive
	KindProbe
	KindWindow
	KindChallenge
)

var kindCodes = [...]analyze.Kind{
	analyze.KindOther, analyze.KindSyn, analyze.KindSynAck, analyze.KindData, analyze.KindFin, analyze.KindAck, analyze.KindRst, analyze.KindKeepalive,
	analyze.KindWindowProbe, analyze.KindWindow, analyze.KindChallenge,
}

// Code returns the kind's code.
func (k Kind) Code() analyze.Kind { return kindCodes[k] }

// classify says what the segment is to its connection, before its numbers are taken in.
func (fl *Flow) classify(e End, s *event.Segment, r *Listed) Kind {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	switch {
	case s.Flags&event.SYN != 0, s.Flags&event.FIN != 0:
		return plainKind(s)
	case s.Len <= 1 && d.Sent && r.Seq == d.Nxt-1 && d.Una >= d.Nxt && (d.FinEnd != d.Nxt || p.FinEnd == 0):
		switch {
		case p.Sent && p.window == 0:
			return KindProbe
		case d.overtaken(s):
			return KindAck
		}
		return KindKeepalive
	case s.Len == 1 && p.Sent && p.window == 0 && r.Seq >= d.Una:
		return KindProbe
	case s.Len == 0 && d.Sent && d.FinEnd == 0 && r.Seq == d.Una-1 && p.window == 0 && r.Seq < d.Nxt:
		return KindProbe
	case s.Len > 0:
		return KindData
	case s.Flags&event.ACK == 0:
		return KindOther
	case d.Sent && r.Ack == d.lastAck && r.Seq == d.Nxt && d.window != s.Window && !fl.drawsAck(p, d):
		return KindWindow
	}
	return KindAck
}

// overtaken reports whether s came so soon behind the newest segment of d that it may have left before.
func (d *Direction) overtaken(s *event.Segment) bool {
	return s.Len == 0 && s.Seq != d.nxtAbs && s.Time.Sub(d.LastTime) <= minCrossing
}

// drawsAck reports whether the newest segment of p still asks for an answer by d.
func (fl *Flow) drawsAck(p, d *Direction) bool { return p.dataFrame != 0 && p.LastTime > d.LastTime }

// plainKind is the kind that the flags and the length alone give.
func plainKind(s *event.Segment) Kind {
	switch {
	case s.Flags&event.RST != 0:
		return KindRst
	case s.Flags&(event.SYN|event.ACK) == event.SYN|event.ACK:
		return KindSynAck
	case s.Flags&event.SYN != 0:
		return KindSyn
	case s.Flags&event.FIN != 0:
		return KindFin
	case s.Len > 0:
		return KindData
	case s.Flags&event.ACK != 0:
		return KindAck
	}
	return KindOther
}
