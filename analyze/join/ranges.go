package join

import (
	"cmp"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// ranges says which bytes of its stream each data call covered. It needs the stream's
// beginning: of a connection met midway no call gets a range.
func (l *linker) ranges() {
	for _, c := range l.conns {
		if c.Guessed {
			continue
		}
		for _, s := range []analyze.Side{analyze.Client, analyze.Server} {
			number(c.calls, s, event.SendCall)
			number(c.calls, s, event.RecvCall)
		}
	}
}

// number lays the data calls of one side and direction end to end. Senders are served in
// the order they began, readers in the order they returned.
func number(calls []*analyze.Call, s analyze.Side, kind event.CallKind) {
	var data []*analyze.Call
	for _, c := range calls {
		if c.Side == s && c.Kind() == kind && succeeded(c) && c.Ret > 0 {
			data = append(data, c)
		}
	}
	if kind == event.RecvCall {
		slices.SortStableFunc(data, func(a, b *analyze.Call) int { return cmp.Compare(a.End, b.End) })
	}
	var at uint64
	for _, c := range data {
		to := at + uint64(c.Ret)
		if to > longestStream {
			return
		}
		c.Bytes = &[2]uint64{at, to}
		if !c.Peek || kind == event.SendCall {
			at = to
		}
	}
}

// covered returns how far the data calls of one side and direction reach in their stream, and
// whether one of them is joined by a guess. What was only peeked at is left in it.
func (lc *linked) covered(side analyze.Side, kind event.CallKind) (n uint64, guessed bool) {
	for _, c := range lc.calls {
		if c.Side == side && c.Bytes != nil && c.Kind() == kind && !(c.Peek && kind == event.RecvCall) {
			n, guessed = max(n, c.Bytes[1]), guessed || c.Guessed
		}
	}
	return n, guessed
}

// longestStream is more bytes than any connection carries; calls that claim more are not believed.
const longestStream = 1 << 62
