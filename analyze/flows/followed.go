package flows

import (
	"github.com/closecap/closecap/analyze/compat"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

// followed is a connection of which a Follower has followed segments.
type followed struct {
	steady bool // FastPath may follow the next segment
	sought bool // stray has looked for the connection that it goes on with
	shown  bool // it was handed out early, and has not gone on since
	place  place
	tools  compat.Tools
	tcp.Flow
}

// follow follows a segment that is not the usual one of a steady connection.
func (fl *followed) follow(e tcp.End, s *event.Segment) {
	seq, ack := fl.Number(e, s)
	fl.tools.Segment(&fl.Flow, e, s, seq, ack)
	fl.Flow.Follow(e, s, seq, ack)
	fl.steady = fl.IsSteady() && fl.tools.Steady()
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
