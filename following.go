package closecap

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/flows"
	"github.com/closecap/closecap/analyze/words"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/intake"
)

// following follows the segments in a goroutine of its own and hands over what is finished, for the
// caller to judge and to show: with the reader's that makes three, none of which is most of the work.
type following struct {
	follower *flows.Follower
	finished chan lot
	judged   chan lot // to be used again
	next     lot
	unwanted atomic.Bool // nobody takes any more
}

// lot is some connections to be judged. With stalled, nothing comes after them for now.
type lot struct {
	finished []flows.Finished
	stalled  bool
}

// How many connections are handed over at a time, and how many such lots there are: they bound
// the memory.
const (
	lotSize = 64
	lots    = 16
)

// follow shows each connection as soon as it is finished. A show that is false also ends what a.batch
// waits for.
func (a *Analysis) follow(first *intake.Batch, show func(*analyze.Connection) bool) {
	f := &following{
		follower: flows.NewFollower(a.opt.Options, nil),
		finished: make(chan lot, lots), judged: make(chan lot, lots),
		next: lot{finished: make([]flows.Finished, 0, lotSize)},
	}
	for range lots - 1 {
		f.judged <- lot{finished: make([]flows.Finished, 0, lotSize)}
	}
	f.follower.HandOver(f.add)
	a.hear(f.follower)
	go f.run(a, first)
	defer func() {
		f.unwanted.Store(true)
		for lot := range f.finished {
			f.judged <- lot
		}
	}()
	judge, more := new(flows.Judge), true
	var all, lacking uint64
	var last *[flows.JudgedAtOnce]analyze.LastWords // where these are put, to be put there again
	for lot := range f.finished {
		if last == nil && a.opt.Transient != nil && a.opt.Transient() {
			judge, last = flows.NewJudge(), new([flows.JudgedAtOnce]analyze.LastWords)
		}
		for rest := lot.finished; len(rest) > 0 && more; {
			judged := judge.Connections(rest)
			a.tell(rest, judged, last)
			for _, c := range judged {
				if all++; !c.Whole {
					lacking++
				}
				more = more && show(c)
			}
			rest = rest[len(judged):]
		}
		if !more {
			return
		}
		if lot.stalled && a.opt.Stalled != nil {
			a.opt.Stalled()
		}
		f.judged <- lot
	}
	if f.follower.Overwhelmed() {
		a.errs = append(a.errs, overwhelmed(f.follower.Stats()))
		return
	}
	a.followed(f.follower.Stats(), lacking, all)
}

// tell adds to each that was judged what was said on it last, in last or, where that is nil, in memory of its own.
func (a *Analysis) tell(finished []flows.Finished, judged []*analyze.Connection, last *[flows.JudgedAtOnce]analyze.LastWords) {
	if a.words == nil {
		return
	}
	telling := words.Telling{Raw: a.opt.RawWords}
	for i, c := range judged {
		h := finished[i].Heard
		if h == nil {
			continue
		}
		if last != nil {
			telling.Into = &last[i]
		}
		h.Tell(c, telling)
		a.legs.Add(h, c)
	}
}

// followRelays holds the connections until all have come, and ties those of relays.
func (a *Analysis) followRelays(first *intake.Batch, show func(*analyze.Connection) bool) {
	a.ties, a.opt.Transient = true, nil
	var all []*analyze.Connection
	a.follow(first, func(c *analyze.Connection) bool {
		all = append(all, c)
		return true
	})
	a.legs.Tie(all)
	for _, c := range all {
		if !show(c) {
			return
		}
	}
}

// overwhelmed says why the reading was ended: what would be said of one connection after the other is
// that it has no begin, or no end.
func overwhelmed(st flows.Stats) error {
	return hint.With(fmt.Errorf("follow connections: more are open at a time than fit into the memory: %d were given up before %s, and %d of them went on",
		st.Evicted, st.Last, st.Resumed), "allow more with --max-memory, or read fewer at a time with --filter")
}

// endedFor is how long a connection must have been silent after its end to be shown while the source is
// live: within that an RST may turn out not to have been taken.
const endedFor = time.Second

// followLive shows each connection when it has ended. It judges what it follows further, so it does
// both in one goroutine.
func (a *Analysis) followLive(first *intake.Batch, show func(*analyze.Connection) bool) {
	more := true
	var all, lacking uint64
	var f *flows.Follower
	f = flows.NewFollower(a.opt.Options, func(c *analyze.Connection) {
		if all++; !c.Whole {
			lacking++
		}
		f.Heard().Tell(c, words.Telling{Raw: a.opt.RawWords})
		more = more && show(c)
	})
	f.Early(endedFor)
	a.hear(f)
	for b := first; b != nil && more; b = a.batch() {
		f.Spoken(b.Segments, b.Payload, b.Ends)
		if !b.Stalled {
			continue
		}
		f.Pass(a.opt.Now())
		if more && a.opt.Stalled != nil {
			a.opt.Stalled()
		}
	}
	if !more {
		return
	}
	f.Finish()
	if more {
		a.followed(f.Stats(), lacking, all)
	}
}

// hear makes f keep what is said where that was asked for.
func (a *Analysis) hear(f *flows.Follower) {
	if !a.opt.Words {
		return
	}
	a.words = f.Hear()
	if a.ties {
		a.legs = a.words.Ties()
	}
}

// followed describes a capture without calls when all its connections have been shown. Of all of them,
// some lack packets.
func (a *Analysis) followed(st flows.Stats, lacking, all uint64) {
	a.res = a.result(st, all)
	if lost := a.res.Capture.Dropped; lost > 0 {
		a.res.Warnings = append(a.res.Warnings, analyze.DropWarning(lost, lacking, all))
	}
}

func (f *following) run(a *Analysis, first *intake.Batch) {
	defer close(f.finished)
	for b := first; b != nil && !f.unwanted.Load(); b = a.batch() {
		f.follower.Spoken(b.Segments, b.Payload, b.Ends)
		if f.follower.Overwhelmed() {
			return
		}
		if b.Stalled {
			f.send(true)
		}
	}
	if !f.unwanted.Load() {
		f.follower.Finish()
		f.finished <- f.next
	}
}

// add takes the next connection from the follower.
func (f *following) add(o flows.Finished) {
	f.next.finished = append(f.next.finished, o)
	if len(f.next.finished) == lotSize {
		f.send(false)
	}
}

func (f *following) send(stalled bool) {
	f.next.stalled = stalled
	f.finished <- f.next
	f.next = <-f.judged
	for _, o := range f.next.finished {
		f.follower.TakeBack(o)
	}
	f.next.finished = f.next.finished[:0]
}
