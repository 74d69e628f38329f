package main

import (
	"sync/atomic"

	"github.com/closecap/closecap/analyze/flows"
)

// judging judges and shows, in a goroutine of its own, what a Follower hands over: with the
// reader's and the follower's that makes three, none of which is most of the work.
type judging struct {
	follower *flows.Follower
	over     chan lot
	done     chan []flows.Finished // judged, for the follower to use again
	next     []flows.Finished
	broken   atomic.Bool // showing failed
	finished chan struct{}
	closed   bool
}

// lot is some connections to be judged. With flush, what was shown is to be seen at once.
type lot struct {
	over  []flows.Finished
	flush bool
}

// How many connections go to the judge at a time, and how many such lots there are: they bound
// the memory.
const (
	lotSize = 64
	lots    = 16
)

func startJudging(f *flows.Follower, j *flows.Judge, show *shower) *judging {
	w := &judging{
		follower: f, finished: make(chan struct{}),
		over: make(chan lot, lots), done: make(chan []flows.Finished, lots),
		next: make([]flows.Finished, 0, lotSize),
	}
	for range lots - 1 {
		w.done <- make([]flows.Finished, 0, lotSize)
	}
	f.HandOver(w.add)
	go w.run(j, show)
	return w
}

func (w *judging) run(j *flows.Judge, show *shower) {
	defer close(w.finished)
	for lot := range w.over {
		if show.err == nil {
			j.Connections(lot.over, show.connection)
		}
		if lot.flush {
			show.flush()
		}
		if show.err != nil {
			w.broken.Store(true)
		}
		w.done <- lot.over
	}
}

// add takes the next connection from the follower.
func (w *judging) add(o flows.Finished) {
	w.next = append(w.next, o)
	if len(w.next) == lotSize {
		w.send(false)
	}
}

// flush lets all that was handed over be judged and shown.
func (w *judging) flush() { w.send(true) }

func (w *judging) send(flush bool) {
	w.over <- lot{w.next, flush}
	w.next = <-w.done
	for _, o := range w.next {
		w.follower.TakeBack(o)
	}
	w.next = w.next[:0]
}

// failed reports whether showing failed; why stands in the shower after wait.
func (w *judging) failed() bool { return w.broken.Load() }

// wait returns when all that was handed over has been shown.
func (w *judging) wait() {
	if w.closed {
		return
	}
	w.closed = true
	w.over <- lot{over: w.next}
	close(w.over)
	<-w.finished
}
