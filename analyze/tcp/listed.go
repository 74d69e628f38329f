package tcp

import (
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// Listed is a segment that the result will list.
type Listed struct {
	Frame, Repeats, Answers uint64
	Time                    event.Time
	Seq, Ack                int64
	Length                  uint32
	Window                  uint16
	Flags                   event.Flags
	From                    End
	Kind                    Kind
	Ignored                 Ignored
	Stale                   bool   // its receiver drops it by its timestamp
	Again                   bool   // it repeats what is not listed
	Mixed                   bool   // what drew an RST: other segments may have drawn it as well
	ipid                    uint16 // 0 for none
	Ref                     uint64 // frame that the reason names
}

// End returns the position after r.
func (r *Listed) End() int64 {
	n := r.Seq + int64(r.Length)
	if r.Flags&event.SYN != 0 {
		n++
	}
	if r.Flags&event.FIN != 0 {
		n++
	}
	return n
}

// keep lists the segment when the result is to show it.
func (fl *Flow) keep(r *Listed) {
	if !fl.opt.AllSegments {
		shown := r.Flags&(event.SYN|event.FIN|event.RST) != 0 || !fl.Handshake && !fl.Midstream ||
			fl.Dir[Client].FinEnd != 0 || fl.Dir[Server].FinEnd != 0 || fl.Reset.Frame != 0
		if fl.handshakeNow(r) || fl.Multipath && r.Frame == fl.Dir[r.From].DataFinFrame {
			shown = true
		}
		if !shown || len(fl.Listed) >= maxListed {
			fl.Omitted++
			return
		}
	}
	if n := len(fl.Listed); n == cap(fl.Listed) && n >= 256 { // append alone copies a long list six times, not twice
		fl.Listed = slices.Grow(fl.Listed, n)
	}
	fl.Listed = append(fl.Listed, *r)
}

// maxListed bounds what is listed of a connection when not every segment is.
const maxListed = 48

// lookBack bounds how many listed segments are searched for the one that another answers or
// repeats, so that no capture makes the search the cost.
const lookBack = 4096

// handshakeNow reports whether r is the handshake's last ACK.
func (fl *Flow) handshakeNow(r *Listed) bool {
	return fl.Handshake && r.From == Client && r.Seq == 1 && r.Ack == 1 && r.Length == 0 &&
		fl.Dir[Client].Nxt == 1 && fl.Dir[Server].Nxt == 1
}

// find returns the listed segment of a frame.
func (fl *Flow) find(frame uint64) *Listed {
	for i := len(fl.Listed) - 1; i >= max(0, len(fl.Listed)-lookBack); i-- {
		if fl.Listed[i].Frame == frame {
			return &fl.Listed[i]
		}
	}
	return nil
}
