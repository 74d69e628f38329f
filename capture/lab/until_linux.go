package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/lab/script"
)

const (
	// untilPause is how long until waits between two questions to the kernel.
	untilPause = 500 * time.Microsecond

	// What must be left on timers that are due together, for the next line to be carried out
	// before they fire: as long as three such lines have taken here, within these bounds.
	leastMargin, mostMargin = 60 * time.Millisecond, 1200 * time.Millisecond

	// mostRetransmits is after how many retransmissions timers that are apart stay so for too
	// long: the kernel's timers come together as they grow longer and are kept less exactly.
	mostRetransmits = 6
)

// errMissed is the error of a run that came too late for what its script waits for.
var errMissed = errors.New("what it waits for does not come any more")

// runUntil asks the kernel again and again, until it says what the line waits for.
func (d *director) runUntil(ctx context.Context, st *script.Step) error {
	var ends []*socket
	var names []string
	for _, s := range append([]*script.Step{st}, st.With...) {
		p, err := d.process(s.Actor)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(s.Actor+":"+s.Socket, ":")
		end := p.known[s.Socket]
		if end == nil || !end.remote.IsValid() {
			return fmt.Errorf("%s is no connection", name)
		}
		ends, names = append(ends, end), append(names, name)
	}
	goal, reached := st.State.String(), allIn(st.State)
	if st.Together {
		margin := min(max(3*d.slowest, leastMargin), mostMargin)
		goal, reached = script.DueTogether, func(all []event.Sample) bool { return allDue(all, margin) }
	}
	before, start := d.counters(), now()
	pause := time.NewTicker(untilPause)
	defer pause.Stop()
	for {
		got, err := d.sampleEnds(ends)
		if err != nil {
			return err
		}
		if reached(got) {
			break
		}
		if st.Together && stayApart(got) || !st.Together && missed(got, st.State) {
			return fmt.Errorf("until %s: %s: %w", goal, describeEnds(names, got), errMissed)
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return fmt.Errorf("until %s: %s now: %w", goal, describeEnds(names, got), context.Cause(ctx))
		}
	}
	c := d.own(st, "until", strings.Join(names, "+")+" "+goal, start)
	return d.after(ctx, c, before)
}

// sampleEnds asks for each end, and for the first once more behind the others.
func (d *director) sampleEnds(ends []*socket) ([]event.Sample, error) {
	var all []event.Sample
	for _, s := range append(ends[:len(ends):len(ends)], ends[0]) {
		sample, err := d.diag.Sample(s.local, s.remote)
		if err != nil {
			return nil, fmt.Errorf("sample %s: %w", s.local, err)
		}
		all = append(all, sample)
	}
	return all, nil
}

func allIn(state event.TCPState) func([]event.Sample) bool {
	return func(all []event.Sample) bool {
		for _, s := range all {
			if s.State != state {
				return false
			}
		}
		return true
	}
}

// stage is how far a connection's end has come; from a state there is no way to another of the
// same stage.
var stage = map[event.TCPState]int{
	event.FinWait1: 1, event.CloseWait: 1,
	event.FinWait2: 2, event.Closing: 2, event.LastAck: 2,
	event.TimeWait: 3, event.Closed: 4,
}

// missed reports whether an end can no longer come to the state.
func missed(all []event.Sample, goal event.TCPState) bool {
	return stage[goal] > 0 && slices.ContainsFunc(all, func(s event.Sample) bool {
		return s.State != goal && stage[s.State] >= stage[goal]
	})
}

// stayApart reports whether timers have different times left, and will for too long.
func stayApart(all []event.Sample) bool {
	first, last, apart := all[0], all[len(all)-1], false
	for _, s := range all {
		if s.Timer == "" || s.Retransmits < mostRetransmits {
			return false
		}
		apart = apart || s.Left != first.Left
	}
	return apart && first.Left == last.Left
}

// allDue reports whether all timers have the same time left. The kernel counts that in
// ticks: as the first sample and the last are of the same end, no tick came between them.
func allDue(all []event.Sample, margin time.Duration) bool {
	for _, s := range all {
		if s.Timer == "" || s.Left != all[0].Left || s.Left < int64(margin) {
			return false
		}
	}
	return true
}

func describeEnds(names []string, all []event.Sample) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = name + " is in " + all[i].State.String()
		if all[i].Timer != "" {
			words[i] += fmt.Sprintf(" (%s in %v)", all[i].Timer, time.Duration(all[i].Left))
		}
	}
	return strings.Join(words, ", ")
}
