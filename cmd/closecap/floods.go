package main

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
)

// floods keeps a scan of closed ports from filling the screen: of resets that no socket sent, a
// few a second from one address are shown, the others counted. The zero value has seen none.
type floods struct {
	begun  event.Time
	counts map[flood]int
}

type flood struct {
	from   netip.Addr
	ending analyze.Ending
}

// floodShown is how many of a kind are shown in a second.
const floodShown = 5

// swallows counts c and reports whether it is one too many to be shown now.
func (f *floods) swallows(c *endings.Connection, now event.Time) bool {
	if !c.Stray {
		return false
	}
	if f.counts == nil {
		f.counts, f.begun = map[flood]int{}, now
	}
	k := flood{c.Client.Addr(), c.Ending}
	f.counts[k]++
	return f.counts[k] > floodShown
}

// told returns a line for each flood of the second that is over at now.
func (f *floods) told(now event.Time) []string {
	if f.counts == nil || now.Sub(f.begun) < time.Second {
		return nil
	}
	var lines []string
	for k, n := range f.counts {
		if n > floodShown {
			what := "RSTs for connections that no socket owns"
			if k.ending == analyze.WasRefused {
				what = "connections refused"
			}
			lines = append(lines, fmt.Sprintf("%s  %v: %d more %s", time.Unix(0, int64(now)).Format("15:04:05.000"), k.from, n-floodShown, what))
		}
	}
	f.counts = nil
	return lines
}
