package lab

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

const (
	// untilPause is how long until waits between two questions to the kernel.
	untilPause = 500 * time.Microsecond

	// dueMargin is what must be left on timers that are due together, for the next lines to
	// be carried out before they fire.
	dueMargin = 60 * time.Millisecond
)

// runUntil asks the kernel again and again, until it says what the line waits for.
func (d *director) runUntil(ctx context.Context, st *step) error {
	var ends []*socket
	var names []string
	for _, s := range append([]*step{st}, st.with...) {
		p, err := d.process(s.actor)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(s.actor+":"+s.socket, ":")
		end := p.known[s.socket]
		if end == nil || !end.remote.IsValid() {
			return fmt.Errorf("%s is no connection", name)
		}
		ends, names = append(ends, end), append(names, name)
	}
	goal, reached := st.state.String(), allIn(st.state)
	if st.together {
		goal, reached = dueTogether, allDue
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

// allDue reports whether all timers have the same time left. The kernel counts that in
// ticks: as the first sample and the last are of the same end, no tick came between them.
func allDue(all []event.Sample) bool {
	for _, s := range all {
		if s.Timer == "" || s.Left != all[0].Left || s.Left < int64(dueMargin) {
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
