package main

import (
	"sync"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/words"
	"github.com/closecap/closecap/capture/decode"
	"github.com/closecap/closecap/capture/session"
)

// overheard keeps what is said on the connections of a program that runs, for those that are shown before it has
// ended. nil keeps nothing.
type overheard struct {
	mu      sync.Mutex
	keeper  *words.Keeper
	decoder *decode.Decoder
}

func newOverheard() *overheard { return &overheard{keeper: words.NewKeeper(), decoder: decode.New()} }

// heard returns what takes each packet.
func (o *overheard) heard() func(*event.Packet, *event.Segment) {
	if o == nil {
		return nil
	}
	return func(p *event.Packet, seg *event.Segment) {
		o.mu.Lock()
		defer o.mu.Unlock()
		var again event.Segment
		if o.decoder.Segment(p, &again) == decode.TCP {
			o.keeper.Segment(seg, o.decoder.Payload())
		}
	}
}

// tell adds to the connections of a part what was said on them, and forgets it.
func (o *overheard) tell(part *session.Part, res *analyze.Result) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now, captured := map[uint64]uint64{}, map[uint64]uint64{}
	for i, frame := range part.Captured {
		now[frame], captured[part.Segments[i].Frame] = part.Segments[i].Frame, frame
	}
	calls := res.CallsByConnection()
	for _, c := range res.Connections {
		h := o.keeper.Take(c.Client, c.Server, captured[c.LastFrame])
		h.Tell(c, words.Telling{Calls: calls[c.ID], Number: func(frame uint64) uint64 { return now[frame] }})
		o.keeper.GiveBack(h)
	}
	words.NameEnds(res.Connections)
}
