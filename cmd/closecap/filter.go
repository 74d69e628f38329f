package main

import (
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/live"
)

// packetFilter compiles a BPF expression, once for each link type that the files turn out
// to hold.
func packetFilter(expr string) (func(*event.Packet) bool, error) {
	const ethernet = 1
	if _, err := live.CompileFilter(expr, ethernet); err != nil {
		return nil, usageError{err}
	}
	compiled := map[uint16]func(*event.Packet) bool{}
	return func(p *event.Packet) bool {
		match, known := compiled[p.LinkType]
		if !known {
			match, _ = live.CompileFilter(expr, p.LinkType) // nil where the expression can't apply
			compiled[p.LinkType] = match
		}
		return match != nil && match(p)
	}, nil
}
