package join

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// unread counts what each side's last closing call left unread, as its kernel said then, where neither the RST
// accounts for it nor the kernel's own word on how the socket ended: behind both FINs a close sends no RST.
func (l *linker) unread(lc *linked) {
	if lc.Multipath {
		return // what a subflow received is MPTCP's, whose queue nobody asked for
	}
	for _, side := range []analyze.Side{analyze.Client, analyze.Server} {
		from := lc.Peer(side)
		if lc.Reset != nil && lc.Reset.Lost.From == from || l.told != nil && l.told.end(lc, side) != nil {
			continue
		}
		c := lc.lastClose(side)
		if c == nil || c.RecvQ <= 0 {
			continue
		}
		lost := lc.LossOf(from)
		lost.Unread = uint64(c.RecvQ)
		lc.keepRead(lost)
		lc.Why = append(lc.Why, fmt.Sprintf("#%d %s() of the %s left %s unread", c.ID, c.Name, side, analyze.Count(uint64(c.RecvQ), "byte")))
	}
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
