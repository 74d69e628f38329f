package analyze

import (
	"cmp"
	"slices"
)

// ranges says which bytes of its stream each data call covered. It needs the stream's
// beginning: of a connection met midway no call gets a range.
func (l *linker) ranges() {
	for _, c := range l.conns {
		if c.Guessed {
			continue
		}
		for _, s := range []Side{Client, Server} {
			number(c.calls, s, sendCall)
			number(c.calls, s, recvCall)
		}
	}
}

// number lays the data calls of one side and direction end to end. Senders are served in
// the order they began, readers in the order they returned.
func number(calls []*Call, s Side, kind callKind) {
	var data []*Call
	for _, c := range calls {
		if c.Side == s && kindOf(c) == kind && succeeded(c) && c.Ret > 0 {
			data = append(data, c)
		}
	}
	if kind == recvCall {
		slices.SortStableFunc(data, func(a, b *Call) int { return cmp.Compare(a.End, b.End) })
	}
	var at uint64
	for _, c := range data {
		to := at + uint64(c.Ret)
		c.Bytes = &[2]uint64{at, to}
		if !c.Peek {
			at = to
		}
	}
}

// covers reports whether a data call's range meets the segment's payload.
func covers(c *Call, s *Segment) bool {
	if c.Bytes == nil || s.Len == 0 || s.Seq < 1 {
		return false
	}
	from := uint64(s.Seq - 1) // the SYN took number 0
	return c.Bytes[0] < from+uint64(s.Len) && from < c.Bytes[1]
}
