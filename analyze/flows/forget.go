package flows

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

// requeue puts fl on the queue where it belongs, now that its newest segment was followed.
func (f *Follower) requeue(fl *followed, last event.Time) {
	h := &f.roster.heads[fl.place]
	to := alive
	h.marks &^= atOnce
	switch {
	case fl.IsClosed():
		to = closed
		if fl.WasReset() {
			to = aborted
		}
		if f.early != 0 && !fl.shown {
			to = unshown
		}
		f.roster.expiry[fl.place] = fl.Expiry()
		h.marks |= atOnce
	case fl.IsEmbryo():
		to = embryos
	}
	if fl.Held() != nil {
		h.marks |= atOnce
	}
	if !to.finished() {
		fl.shown = false
	}
	if to == h.queue && (f.roster.isLast(to, fl.place) || !to.finished() && last-h.queued < inOrderTo) {
		return
	}
	f.roster.move(to, fl.place, last)
}

// soonest is how long after it was put on a queue a connection may be over, whatever comes: until then
// nobody has to look.
var soonest = [queues]event.Time{
	embryos: event.Time(embryoIdle), alive: never, ending: event.Time(tcp.AfterReset),
	closing: event.Time(tcp.AfterReset), unshown: event.Time(tcp.AfterReset),
	aborted: event.Time(tcp.AfterReset), closed: event.Time(tcp.AfterReset),
}

const never = event.Time(math.MaxInt64)

// isOver reports whether nothing that comes at t can belong to the connection at p any more. That is
// decided by its own segments alone: when the follower looks for what is over depends on all of them.
func (f *Follower) isOver(p place, t event.Time) bool {
	f.catchUp(p)
	return f.due(p) < t
}

// due returns when the connection at p, all of which was followed, is over if nothing more comes.
func (f *Follower) due(p place) event.Time {
	switch q := f.roster.heads[p].queue; {
	case q.finished():
		return f.roster.expiry[p]
	case q == embryos:
		return f.roster.flows[p].Last.Add(embryoIdle)
	}
	return never
}

// expire follows what has waited long enough, and hands out the connections of which nothing
// more is expected.
func (f *Follower) expire() {
	f.nextExpiry = f.now + expiresEach
	now := f.now
	if f.early == 0 {
		now = now.Add(-disorder)
	}
	r := &f.roster
	for _, w := range [...]struct {
		on   queue
		wait time.Duration
	}{{ending, f.endingWait()}, {closing, f.closingWait()}, {embryos, embryoIdle}} {
		n := 0
		for p := r.first(w.on); p != 0 && r.heads[p].queued.Add(w.wait) < now; p = r.first(w.on) {
			if n++; n%roomLot == 1 {
				f.fetchFirst(w.on, roomLot)
			}
			f.catchUp(p)
			switch due := f.due(p); {
			case due < now:
				f.finish(p)
			case r.heads[p].queue == embryos:
				r.move(embryos, p, r.flows[p].Last)
			}
		}
	}
	f.showEnded()
	for _, q := range [...]queue{aborted, closed} {
		for p := r.first(q); p != 0 && r.expiry[p] < now; p = r.first(q) {
			f.finish(p)
		}
	}
}

// finish judges the connection at p as of when it was over, hands it out and forgets it.
func (f *Follower) finish(p place) {
	f.catchUp(p)
	fl, h := f.roster.flows[p], &f.roster.heads[p]
	f.stray(fl)
	at := min(f.due(p), f.now)
	if h.queue.finished() {
		f.departed.add(h.key.hash(f.table.seed), at, over)
	}
	f.table.remove(f.roster.heads, p)
	f.roster.dismiss(p)
	f.met--
	held := fl.TakeHeld()
	o := Finished{fl, at, f.words.Take(uint32(p))}
	switch {
	case f.handOver != nil && !fl.shown:
		f.handOver(o)
	case !fl.shown:
		f.heard = o.Heard
		f.done(connection(&f.judge, &fl.Flow, fl, at))
		fallthrough
	default:
		f.TakeBack(o)
	}
	if held != nil {
		f.reroute(held)
	}
}

// Finish judges all connections that are still held, in the order of their first frames.
func (f *Follower) Finish() {
	type held struct {
		first uint64 // frame
		id    uint32
		place place
	}
	f.strays()
	for f.table.n > 0 {
		var rest []held
		for _, p := range f.table.all(nil) {
			rest = append(rest, held{f.firstFrame(p), f.roster.heads[p].id, p})
		}
		slices.SortFunc(rest, func(a, b held) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.id, b.id)) })
		for i, r := range rest {
			if i+roomLot < len(rest) {
				f.fetch(rest[i+roomLot].place)
			}
			f.finish(r.place)
		}
	}
}

// FirstFrame returns the first frame of the connection at p.
func (f *Follower) firstFrame(p place) uint64 {
	if fl := f.roster.flows[p]; fl != nil {
		return fl.FirstFrame
	}
	return f.backlog.at(f.roster.heads[p].firstChunk)[0].frame
}
