package flows

import (
	"cmp"
	"slices"

	"github.com/closecap/closecap/analyze/event"
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

// expire follows what has waited long enough, and hands out the connections of which nothing
// more is expected.
func (f *Follower) expire() {
	f.nextExpiry = f.now + expiresEach
	r := &f.roster
	for p := r.first(ending); p != 0 && r.heads[p].queued.Add(f.endingWait()) < f.now; p = r.first(ending) {
		f.catchUp(p)
		if r.heads[p].queue.finished() && r.expiry[p] < f.now {
			f.finish(p)
		}
	}
	f.showEnded()
	for _, q := range [...]queue{aborted, closed} {
		for p := r.first(q); p != 0 && r.expiry[p] < f.now; p = r.first(q) {
			f.finish(p)
		}
	}
	for p := r.first(embryos); p != 0 && r.heads[p].queued.Add(embryoIdle) < f.now; p = r.first(embryos) {
		f.catchUp(p)
		switch fl := r.flows[p]; {
		case r.heads[p].queue != embryos:
		case fl.Last.Add(embryoIdle) < f.now:
			f.finish(p)
		default:
			r.move(embryos, p, fl.Last)
		}
	}
}

// makeRoom forgets the connections that were over first when there are too many of those.
func (f *Follower) makeRoom() {
	r := &f.roster
	if r.waiting() <= maxWaiting {
		return
	}
	f.fetchEnding()
	for range roomLot {
		f.makePlace()
	}
}

// fetchEnding asks for what the next lots that are forgotten will need: for the heads of one,
// and a lot later for what those tell.
func (f *Follower) fetchEnding() {
	r, l := &f.roster, &f.ahead.lines
	p := r.first(ending)
	for i := 0; i < 3*roomLot && p != 0; i++ {
		switch i / roomLot {
		case 1:
			f.fetch(&r.heads[p])
		case 2:
			l.Add(&r.heads[p].key.loLo)
		}
		p = r.links[p].next
	}
	l.Ask()
}

// fetch asks for what is needed to forget the connection of h.
func (f *Follower) fetch(h *head) {
	l := &f.ahead.lines
	l.Add(f.table.home(h.key.hash(f.table.seed)))
	if f.recentlyClosed != nil {
		l.Add(&f.recentlyClosed.set(h.key.hash(0))[0])
	}
	l.Ask()
	f.backlog.fetch(h, l)
}

// makePlace forgets the connection that was over first. One whose last FIN may yet be
// acknowledged stays, unless there are far too many.
func (f *Follower) makePlace() {
	r := &f.roster
	p := r.oldest(ending, unshown, aborted, closed)
	f.catchUp(p)
	switch fl := r.flows[p]; {
	case !r.heads[p].queue.finished():
	case !fl.AwaitsAck(f.now):
		f.finish(p)
	case r.waiting() < maxUnacked:
		r.move(closed, p, f.now)
	default:
		f.giveUp(p)
	}
}

// evict gives up the open connection that was idle for longest.
func (f *Follower) evict() {
	if p := f.roster.oldest(embryos, alive); p != 0 {
		f.giveUp(p)
	}
}

// GiveUp finishes the connection at p before its time.
func (f *Follower) giveUp(p place) {
	f.catchUp(p)
	f.roster.flows[p].GiveUp()
	f.stats.Evicted++
	f.finish(p)
}

// finish judges the connection at p, hands it out and forgets it.
func (f *Follower) finish(p place) {
	f.catchUp(p)
	fl, h := f.roster.flows[p], &f.roster.heads[p]
	if h.queue.finished() {
		f.recentlyClosed.add(&h.key)
	}
	f.table.remove(f.roster.heads, p)
	f.roster.dismiss(p)
	held := fl.TakeHeld()
	switch {
	case fl.shown:
		f.release(fl)
	case f.handOver != nil:
		f.handOver(Finished{fl, f.now})
	default:
		f.done(f.judge.connection(&fl.Flow, fl, f.now))
		f.release(fl)
	}
	if held != nil {
		f.reroute(held)
	}
}

// Finish judges all connections that are still held, in the order of their first frames.
func (f *Follower) Finish() {
	for f.table.n > 0 {
		rest := f.table.all(nil)
		slices.SortFunc(rest, func(a, b place) int {
			return cmp.Or(cmp.Compare(f.firstFrame(a), f.firstFrame(b)),
				cmp.Compare(f.roster.heads[a].id, f.roster.heads[b].id))
		})
		for i, p := range rest {
			if i+roomLot < len(rest) {
				f.fetch(&f.roster.heads[rest[i+roomLot]])
			}
			f.finish(p)
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
