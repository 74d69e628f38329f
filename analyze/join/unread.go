package join

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// unread counts what each side left unread when it let its socket go, where the RST does not account for it: behind both
// FINs a close sends none.
func (l *linker) unread(lc *linked) {
	if lc.Multipath {
		return // what a subflow received is MPTCP's, whose queue nobody asked for
	}
	for _, side := range []analyze.Side{analyze.Client, analyze.Server} {
		from := lc.Peer(side)
		if lc.Reset != nil && lc.Reset.Lost.From == from {
			continue
		}
		n, why := l.leftUnread(lc, side)
		if n == 0 {
			continue
		}
		lost := lc.LossOf(from)
		lost.Unread = n
		lc.keepRead(lost)
		lc.Why = append(lc.Why, why)
	}
}

// leftUnread returns how many bytes side left unread and who says so: the kernel where it told how the socket ended, or
// what it said at the last call that closes it.
func (l *linker) leftUnread(lc *linked, side analyze.Side) (n uint64, why string) {
	if l.told != nil {
		if e := l.told.end(lc, side); e != nil {
			r := l.told.released[e.Socket]
			if r != nil && r.Time < e.Stop() {
				r = nil // of the socket's connection before
			}
			n = e.NeverRead(r)
			return n, fmt.Sprintf("the kernel had %s unread when the %s let its socket go", analyze.Count(n, "byte"), side)
		}
	}
	c := lc.lastClose(side)
	if c == nil || c.RecvQ <= 0 {
		return 0, ""
	}
	n = uint64(c.RecvQ)
	return n, fmt.Sprintf("#%d %s() of the %s left %s unread", c.ID, c.Name, side, analyze.Count(n, "byte"))
}

// lastClose returns the last recorded call that closes side's socket, nil where that is not known to be it.
func (lc *linked) lastClose(side analyze.Side) *analyze.Call {
	var last *analyze.Call
	for _, c := range lc.calls {
		switch {
		case c.Side != side:
		case c.Guessed:
			return nil
		case c.Kind() == event.CloseCall:
			last = c
		}
	}
	if last == nil || len(last.Holders) > 0 || lc.heldAfter(last) {
		return nil
	}
	return last
}
