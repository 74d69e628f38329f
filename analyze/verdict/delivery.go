package verdict

import (
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/tcp"
)

// losses says in c what did not reach the peer, as far as packets tell. What nobody acknowledged may
// have arrived all the same, its ACK lost or not captured: it is lost for certain only where an RST
// says so.
func (fl judged) losses(c *analyze.Connection) {
	for e := range fl.Dir {
		e := tcp.End(e)
		unacked, missing := fl.lostBy(e)
		late := uint64(0) // what met a closed socket
		if unacked+missing == 0 {
			continue
		}
		switch {
		case c.Reset != nil && e == fl.Peer(fl.Reset.By):
			continue // the reset's own account has it
		case c.Ending == analyze.UnknownEnding, c.Ending == analyze.Graceful:
			unacked = 0
		case fl.Reset.GoneAt != 0 && fl.Dir[e.Other()].FinEnd != 0:
			late = min(fl.bytesFrom(e, fl.Reset.GoneAt), unacked)
			unacked -= late
		case c.Reset != nil, fl.Dir[e].IsResent():
		default:
			*c.InFlight.Of(e.Side()) = unacked
			unacked = 0
		}
		if late+unacked+missing > 0 {
			*c.LossOf(e.Side()) = analyze.Lost{AfterClose: late, MayBe: unacked, Missing: missing, From: e.Side()}
		}
	}
	if a, b := c.Lost, c.AlsoLost; b != nil && b.AfterClose+b.MayBe+b.Missing > a.AfterClose+a.MayBe+a.Missing {
		c.Lost, c.AlsoLost = b, a
	}
}

// resetLosses accounts for what the RST's receiver had sent: what a living socket had not acknowledged
// with its RST never reached it, and what met a closed one is lost. The rest may have arrived.
func (fl judged) resetLosses(r *analyze.Reset) {
	rst := &fl.Reset
	e := fl.Peer(rst.By)
	unacked, missing := fl.lostBy(e)
	r.Lost = analyze.Lost{Missing: missing, From: e.Side()}
	d := &fl.Dir[e]
	switch {
	case rst.Refused:
	case rst.Acks && r.Cause != analyze.DataAfterClose && r.Confidence != analyze.Unknown:
		r.Lost.Unacked = min(uint64(max(0, d.Payload(d.Nxt)-max(rst.Ack, 1))), unacked)
		r.Lost.TLSAlerts = min(d.AlertsAfter(rst.Ack), r.Lost.Unacked)
		return
	case r.Cause == analyze.DataAfterClose:
		at := rst.AnsweredSeq
		for i := range fl.Listed { // packets overtake each other
			if q := &fl.Listed[i]; q.From == e && q.Ack == rst.Seq {
				at = min(at, q.Seq)
			}
		}
		r.Lost.AfterClose = min(fl.bytesFrom(e, at), unacked)
		r.Lost.TLSAlerts = min(d.AlertsAfter(max(at, d.Una)), r.Lost.AfterClose)
		unacked -= r.Lost.AfterClose
	}
	r.Lost.MayBe = unacked
}

// bytesFrom counts the bytes of e from pos on that were captured and nobody acknowledged.
func (fl judged) bytesFrom(e tcp.End, pos int64) uint64 {
	d := &fl.Dir[e]
	from, to := max(pos, d.Una, 1), d.Payload(d.Nxt)
	n := to - from
	for _, g := range d.Gaps {
		n -= max(0, min(g.To, to)-max(g.From, from))
	}
	return min(uint64(max(0, n)), d.Bytes)
}

// lostBy counts the bytes that e sent and nobody acknowledged, and those that were not captured.
func (fl judged) lostBy(e tcp.End) (unacked, missing uint64) {
	d, p := &fl.Dir[e], &fl.Dir[fl.Peer(e)]
	if !d.Sent {
		return 0, 0
	}
	if p.Packets > 0 {
		unacked = fl.bytesFrom(e, d.Una)
	}
	missing = uint64(max(0, d.Holes))
	if d.AckStep > 1 {
		missing += uint64(max(0, d.Una-d.Nxt))
	}
	return unacked, missing
}
