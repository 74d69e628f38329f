package join

import (
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

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

func returnedBy(lc *linked, c *analyze.Call) []*analyze.Segment {
	peer := lc.Peer(c.Side)
	last := func(class segmentClass) []*analyze.Segment {
		return one(lc.segmentsOf(class, peer).lastUpTo(c.End, nil))
	}
	switch {
	case c.Errno == "ECONNRESET" || c.Errno == "ECONNREFUSED" ||
		c.Errno == "EPIPE" && lc.writeShut(c) == nil:
		return last(rstSegments)
	case c.Errno != "":
		return nil
	}
	switch c.Kind() {
	case event.RecvCall:
		if c.Ret > 0 {
			return lc.carriers(c)
		}
		if c.Ret == 0 {
			return one(lc.eof(c))
		}
	case event.ConnectCall:
		return last(synAckSegments)
	case event.AcceptCall: // the ACK that put the connection into the accept queue
		return one(lc.segmentsOf(afterTheSyn, analyze.Client).firstUpTo(c.End))
	case event.SendCall:
		if c.Blocked {
			return last(roomMakers)
		}
	case event.CloseCall:
		if c.Blocked && len(c.Caused) > 0 {
			return one(lc.finAcked(c))
		}
	}
	return nil
}

// finAcked is what acknowledged the FIN of a lingering close, nil when its time ran out first.
func (lc *linked) finAcked(c *analyze.Call) *analyze.Segment {
	fin := lc.segmentsOf(finSegments, c.Side).lastUpTo(c.End, nil)
	if fin == nil {
		return nil
	}
	return lc.segmentsOf(finAckers, lc.Peer(c.Side)).lastUpTo(c.End, func(s *analyze.Segment) bool { return s.Ack >= fin.End() })
}

func one(s *analyze.Segment) []*analyze.Segment {
	if s == nil {
		return nil
	}
	return []*analyze.Segment{s}
}

// carriers are the segments that first brought the bytes which a recv returned.
func (lc *linked) carriers(c *analyze.Call) []*analyze.Segment {
	if c.Bytes == nil {
		return nil
	}
	brought := lc.bytesOf(lc.Peer(c.Side)).meets(c.Bytes[0], c.Bytes[1])
	return slices.DeleteFunc(brought, func(s *analyze.Segment) bool { return s.Time > c.End })
}

// eof is the FIN, or MPTCP's DATA_FIN, that a recv reported by returning 0, unless the reader had shut its own
// reading side.
func (lc *linked) eof(c *analyze.Call) *analyze.Segment {
	if lc.readShut(c) != nil {
		return nil
	}
	return lc.ends(lc.Peer(c.Side)).lastUpTo(c.End, nil)
}

// readShut returns the earlier shutdown of the caller's reading side, nil when there is none.
func (lc *linked) readShut(c *analyze.Call) *analyze.Call {
	return lc.callsOf(readShutdowns, c.Side).before(c)
}

// writeShut returns the earlier shutdown that ended the stream of the caller's own side, nil when
// there is none.
func (lc *linked) writeShut(c *analyze.Call) *analyze.Call {
	return lc.callsOf(writeShutdowns, c.Side).before(c)
}

// rstBefore returns the reset that had reached the call's side when it returned.
func (lc *linked) rstBefore(c *analyze.Call) *analyze.Segment {
	return lc.segmentsOf(rstSegments, analyze.NoSide).lastUpTo(c.End, nil)
}

func frameText(s *analyze.Segment) string {
	return fmt.Sprintf("frame %d (%s)", s.Frame, s.Flags.Words())
}
