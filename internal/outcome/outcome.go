// Package outcome serves tests: it is what two witnesses, packets with calls and the kernel, must both
// say of a connection.
package outcome

import (
	"net/netip"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
)

// Outcome is a connection's end without what only one of the two can know.
type Outcome struct {
	Client   netip.AddrPort     `json:"client"`
	Server   netip.AddrPort     `json:"server"`
	Ending   analyze.Ending     `json:"ending"`
	Closer   analyze.Side       `json:"closer"`
	By       analyze.Side       `json:"by,omitempty"`
	Cause    analyze.ResetCause `json:"cause,omitempty"`
	Lost     analyze.Lost       `json:"lost,omitzero"`
	LostOwn  analyze.Lost       `json:"lost_own,omitzero"`
	LostAlso analyze.Lost       `json:"lost_also,omitzero"`
	TimeWait []analyze.Side     `json:"time_wait,omitempty"`
}

// Of returns c's Outcome.
func Of(c *analyze.Connection) Outcome {
	o := Outcome{Client: c.Client, Server: c.Server, Ending: c.Ending, Closer: c.Closer}
	if c.Reset != nil {
		o.By, o.Cause, o.Lost = c.Reset.By, c.Reset.Cause, c.Reset.Lost
		o.Lost.Missing = 0
	}
	if c.Lost != nil {
		o.LostOwn = *c.Lost
	}
	if c.AlsoLost != nil {
		o.LostAlso = *c.AlsoLost
	}
	for _, w := range c.TimeWait {
		o.TimeWait = append(o.TimeWait, w.Holder)
	}
	return o
}

// Diff says how the kernel's outcomes differ from those of the run, "" when they don't.
func Diff[T Outcome | []Outcome](run, kernel T) string {
	return cmp.Diff(run, kernel, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }))
}
