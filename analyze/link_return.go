package analyze

import "fmt"

// returns finds which segments made each call return what it returned.
func (l *linker) returns() {
	for _, lc := range l.conns {
		for _, c := range lc.calls {
			if c.End == 0 {
				continue
			}
			for _, s := range returnedBy(lc, c) {
				c.ReturnedBy = append(c.ReturnedBy, s.Frame)
			}
		}
	}
}

func returnedBy(lc *linked, c *Call) []*Segment {
	peer := c.Side.Other()
	from := func(kinds ...Kind) func(*Segment) bool {
		return func(s *Segment) bool {
			if s.From != peer || s.Ignored != "" {
				return false
			}
			for _, k := range kinds {
				if s.Kind == k {
					return true
				}
			}
			return false
		}
	}
	switch {
	case c.Errno == "ECONNRESET" || c.Errno == "ECONNREFUSED" ||
		c.Errno == "EPIPE" && !lc.writeShut(c):
		return one(lc.lastBefore(c.End, from(KindRst)))
	case c.Errno != "":
		return nil
	}
	switch kindOf(c) {
	case recvCall:
		if c.Ret > 0 {
			return lc.carriers(c)
		}
		if asked := c.Ret == 0; asked {
			return one(lc.eof(c))
		}
	case connectCall:
		return one(lc.lastBefore(c.End, from(KindSynAck)))
	case acceptCall:
		return one(lc.completed(c))
	case sendCall:
		if c.Blocked {
			return one(lc.lastBefore(c.End, from(KindAck, KindWindow, KindData)))
		}
	case closeCall:
		if c.Blocked && len(c.Caused) > 0 {
			return one(lc.finAcked(c, from(KindAck, KindFin)))
		}
	}
	return nil
}

// finAcked is what acknowledged the FIN of a lingering close, nil when its time ran out first.
func (lc *linked) finAcked(c *Call, answer func(*Segment) bool) *Segment {
	fin := lc.lastBefore(c.End, func(s *Segment) bool { return s.From == c.Side && s.Kind == KindFin })
	if fin == nil {
		return nil
	}
	end := fin.Seq + int64(fin.Len) + 1 // the FIN takes a number
	return lc.lastBefore(c.End, func(s *Segment) bool { return answer(s) && s.Ack >= end })
}

func one(s *Segment) []*Segment {
	if s == nil {
		return nil
	}
	return []*Segment{s}
}

// carriers are the segments that first brought the bytes which a recv returned.
func (lc *linked) carriers(c *Call) []*Segment {
	var out []*Segment
	for _, s := range lc.Segments {
		if s.From == c.Side.Other() && s.Time <= c.End && s.Retransmits == 0 && s.Ignored == "" && covers(c, s) {
			out = append(out, s)
		}
	}
	return out
}

// eof is the FIN that a recv reported by returning 0, unless the reader had shut its own
// reading side.
func (lc *linked) eof(c *Call) *Segment {
	if lc.readShut(c) != nil {
		return nil
	}
	return lc.lastBefore(c.End, func(s *Segment) bool { return s.From == c.Side.Other() && s.Kind == KindFin })
}

// completed is the ACK that put the connection into the accept queue.
func (lc *linked) completed(c *Call) *Segment {
	for _, s := range lc.Segments {
		if s.From == Client && s.Kind != KindSyn && s.Time <= c.End {
			return s
		}
	}
	return nil
}

// readShut returns the earlier shutdown of the caller's reading side, nil when there is none.
func (lc *linked) readShut(c *Call) *Call {
	return lc.earlier(c, func(k *Call) bool {
		return kindOf(k) == shutdownCall && k.Errno == "" && k.Args != "SHUT_WR"
	})
}

// writeShut reports whether the caller's own side had ended its stream before the call.
func (lc *linked) writeShut(c *Call) bool {
	return lc.earlier(c, func(k *Call) bool { return kindOf(k) == shutdownCall && endsWriting(k) }) != nil
}

// earlier returns the first call of c's side that began before c and that ok accepts.
func (lc *linked) earlier(c *Call, ok func(*Call) bool) *Call {
	for _, k := range lc.calls {
		if k == c {
			return nil
		}
		if k.Side == c.Side && ok(k) {
			return k
		}
	}
	return nil
}

// rstBefore returns the reset that had reached the call's side when it returned.
func (lc *linked) rstBefore(c *Call) *Segment {
	return lc.lastBefore(c.End, func(s *Segment) bool { return s.Kind == KindRst && s.Ignored == "" })
}

func frameText(s *Segment) string { return fmt.Sprintf("frame %d (%s)", s.Frame, s.Flags.Words()) }
