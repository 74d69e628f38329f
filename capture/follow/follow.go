// Package follow records the socket calls of running programs, and of their children, by the kernel's
// own word (package bpf): nothing is stopped, and a call costs a microsecond instead of two switches of
// process. It delivers what package trace does, of calls and of sockets, but for what only a stopped
// program shows: the text that a call carried, what poll found.
package follow

import (
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/trace"
)

// Options say who hears what is found, from Start, Poll and Finish.
type Options struct {
	OnCall   func(event.Call)
	OnSocket func(trace.Socket)

	// OnUnprivileged is trace.Options.OnUnprivileged. The program that this process starts is looked at,
	// and each of its children that makes a socket call.
	OnUnprivileged func(program string)
}

// Result is what became of the following.
type Result struct {
	Processes int
	Calls     int // delivered
	Folded    int // EAGAIN, not delivered
	Warnings  []string
}
