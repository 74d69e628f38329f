package tcp

import "net/netip"

// Remapped tells of another connection with the same numbers: an address translation on the way has
// forgotten the earlier one, and given what its end sends next an address or a port of its own.
type Remapped struct {
	Addr    netip.AddrPort // of that end in the other connection
	Frame   uint64         // the first of the other connection
	Earlier bool           // the other is the earlier one
}

// Stray returns, of a connection that was met midway and whose first segments drew an RST, the end that knew
// nothing of it.
func (fl *Flow) Stray() (answered netip.AddrPort, ok bool) {
	rst := &fl.Reset
	o, d := &fl.Dir[rst.By.Other()], &fl.Dir[rst.By]
	if rst.Frame == 0 || rst.Trigger == 0 || !fl.Midstream || rst.Class != NobodyReset || !o.Based || !d.Based || d.Bytes > 0 || d.Sent {
		return netip.AddrPort{}, false
	}
	return fl.Addr[rst.By], true
}

// GoesOnWith notes in both that the stray fl goes on with the numbers of before, if it does. That one's end
// at the answering address had sent up to what fl acknowledges, its other end up to where fl begins, or the
// same again, or the same in front of the translation.
func (fl *Flow) GoesOnWith(before *Flow) bool {
	rst := &fl.Reset
	y := Client // the end of before that has another address in fl
	if before.Addr[Client] == fl.Addr[rst.By] {
		y = Server
	}
	b, p := &before.Dir[y], &before.Dir[y.Other()]
	o, d := &fl.Dir[rst.By.Other()], &fl.Dir[rst.By]
	if !b.Sent || !p.Sent || before.FirstFrame >= fl.FirstFrame {
		return false
	}
	ahead := b.Nxt - b.rel(o.header(rst.AnsweredSeq))
	unheard := p.Nxt - p.rel(d.header(rst.Seq))
	again := ahead > 0 && ahead <= b.Nxt-b.Una
	keepalive := ahead == 1 && rst.AnsweredLen <= 1
	if ahead != 0 && !again && !keepalive || unheard < 0 || unheard > p.Nxt-b.lastAck {
		return false
	}
	fl.Remapped = &Remapped{before.Addr[y], before.FirstFrame, true}
	before.Remapped = &Remapped{fl.Addr[rst.By.Other()], fl.FirstFrame, false}
	return true
}
