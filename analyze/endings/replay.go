package endings

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
)

// Replay judges what a recording of a watching holds, with what the watcher knew and when it
// judged: its connections are the same, in the same order.
type Replay struct {
	tracker *Tracker
	own     map[netip.Addr]bool
	answers []event.KernelAnswer // to what is asked when it judges next
	untold  int                  // entries since it judged
	last    event.Time
	ended   bool
}

// maxUntold bounds what may come between two times at which the watcher judged. A watcher's buffer
// holds a tenth of it.
const maxUntold = 1 << 18

// NewReplay returns a Replay of what was watched as begin says.
func NewReplay(begin *event.KernelWatch) *Replay {
	r := &Replay{own: map[netip.Addr]bool{}, last: begin.Time}
	for _, a := range begin.Own {
		r.own[a] = true
	}
	r.tracker = NewTracker(Options{Names: begin.Names, State: r.state, Local: func(a netip.Addr) bool { return r.own[a] }})
	return r
}

// state answers as the kernel did: questions come in the same order.
func (r *Replay) state(netns uint32, local, remote netip.AddrPort) event.TCPState {
	if len(r.answers) == 0 {
		return event.StateUnknown
	}
	a := r.answers[0]
	if a.Netns != netns || a.Local != local || a.Remote != remote {
		return event.StateUnknown
	}
	r.answers = r.answers[1:]
	return a.State
}

// Add takes the next entry, which has been checked, and returns what the watcher judged at it.
func (r *Replay) Add(e *event.KernelEntry) ([]*Connection, error) {
	if r.ended {
		return nil, errors.New("kernel events after the end of the watching")
	}
	if r.untold++; r.untold > maxUntold {
		return nil, fmt.Errorf("more than %d kernel events between two times of judging", maxUntold)
	}
	r.last = max(r.last, e.When())
	switch {
	case e.Answer != nil:
		r.answers = append(r.answers, *e.Answer)
	case e.Told != nil:
		return r.told(e.Told), nil
	case e.Begin != nil:
		return nil, errors.New("a watching begins within another")
	default:
		r.tracker.Add(e.KernelEvent)
	}
	return nil, nil
}

func (r *Replay) told(at *event.KernelTold) []*Connection {
	r.untold = 0
	defer func() { r.answers = nil }()
	if at.End {
		r.ended = true
		return r.tracker.Rest(at.Time)
	}
	return r.tracker.Ready(at.Time)
}

// Rest judges what is left of a recording that has no end.
func (r *Replay) Rest() []*Connection {
	if r.ended {
		return nil
	}
	r.ended = true
	return r.tracker.Rest(r.last)
}
