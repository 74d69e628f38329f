package flows

import (
	"math"

	"github.com/closecap/closecap/analyze"
)

const (
	// maxWaiting is how many connections that are over, or seem to be, are kept for what may still come, where
	// nobody says how much memory they may take: some 16 MB.
	maxWaiting = 1 << 13
	// maxUnacked is how many times as many are kept when their last FINs are not acknowledged yet.
	maxUnacked = 4
	// roomLot is how many are forgotten at a time.
	roomLot = 16
)

// What a connection takes, in bytes: while it is held, while segments of it wait, and once it is followed.
const (
	placeBytes = 64 + 8 + 8 + 8 + 16
	entryBytes = 64
	chunkBytes = chunkSize*entryBytes + 4
	flowBytes  = 2624
)

// bounds sets how many connections are kept and how much memory they may take, where opt does not say.
func (f *Follower) bounds() {
	f.maxWaiting = math.MaxInt / maxUnacked
	if f.opt.MaxMemory == 0 {
		f.opt.MaxMemory, f.maxWaiting = analyze.DefaultMaxMemory, maxWaiting
	}
	if f.opt.MaxConnections == 0 {
		f.opt.MaxConnections = math.MaxInt
	}
	// What is used no more stays allocated for its own kind, and the collector lets a heap grow before it
	// works: a process takes up to two times what is in use.
	f.opt.MaxMemory = f.opt.MaxMemory * 6 / 10
}

// memory returns how many bytes the connections take.
func (f *Follower) memory() int64 {
	return int64(f.table.n)*placeBytes + int64(f.backlog.used)*chunkBytes + int64(f.met)*flowBytes
}

// makeRoom forgets the connections that were over first when there are too many of those; and while all take
// too much memory, those and then open ones.
func (f *Follower) makeRoom() {
	if f.roster.waiting() > f.maxWaiting {
		f.makePlaces()
	}
	for before := f.memory(); before > f.opt.MaxMemory; before = f.memory() {
		f.makePlaces()
		if f.memory() >= before && !f.evict(embryos, alive) && !f.evict(unshown, aborted, closed) {
			return
		}
	}
}

// makePlaces forgets a lot. How many of it come from which queue is likely what it was with the lot before.
func (f *Follower) makePlaces() {
	for _, q := range [...]queue{ending, closing} {
		f.fetchFirst(q, f.forgotten[q])
		f.forgotten[q] = 0
	}
	for range roomLot {
		f.makePlace()
	}
}

// fetchFirst asks for what the next lots of q that are forgotten will need: for the heads of one,
// and a lot later for what those tell.
func (f *Follower) fetchFirst(q queue, lot int) {
	r, l := &f.roster, &f.ahead.lines
	p := r.first(q)
	for i := 0; i < 3*lot && p != 0; i++ {
		switch i / lot {
		case 1:
			f.fetch(p)
		case 2:
			l.Add(&r.heads[p].key.loLo)
		}
		p = r.links[p].next
	}
	l.Ask()
}

// fetch asks for what is needed to forget the connection at p.
func (f *Follower) fetch(p place) {
	h, l := &f.roster.heads[p], &f.ahead.lines
	hash := h.key.hash(f.table.seed)
	l.Add(f.table.home(hash))
	if home := f.departed.newer.home(hash); home != nil {
		l.Add(home)
	}
	f.words.Ask(uint32(p), l)
	l.Ask()
	f.backlog.fetch(h, l)
}

// makePlace forgets the connection that was over first, unless its last FIN may yet be acknowledged.
func (f *Follower) makePlace() {
	r := &f.roster
	p := r.oldest(ending, closing, unshown, aborted, closed)
	if p == 0 {
		return
	}
	f.forgotten[r.heads[p].queue]++
	f.catchUp(p)
	switch {
	case !r.heads[p].queue.finished():
	case !r.flows[p].AwaitsAck(f.now):
		if f.due(p) >= f.now && !f.roster.flows[p].shown {
			f.stats.Hurried++
		}
		f.finish(p)
	case r.waiting() < maxUnacked*f.maxWaiting:
		r.move(closed, p, f.now)
	default:
		f.giveUp(p)
	}
}

// evict gives up the connection on some queues that was idle for longest; false means that there is none.
func (f *Follower) evict(of ...queue) bool {
	p := f.roster.oldest(of...)
	if p != 0 {
		f.giveUp(p)
	}
	return p != 0
}

// GiveUp finishes the connection at p before its time.
func (f *Follower) giveUp(p place) {
	f.catchUp(p)
	h := &f.roster.heads[p]
	if h.queue == alive {
		f.departed.add(h.key.hash(f.table.seed), f.now, givenUp)
	}
	f.roster.flows[p].GiveUp()
	f.stats.Evicted++
	f.finish(p)
}

// Overwhelmed reports whether connections that were given up for memory's sake go on, so many that what is
// said of them is wrong: each of their parts looks like a connection of its own.
func (f *Follower) Overwhelmed() bool {
	const some = 1000
	return f.stats.Resumed > some && f.stats.Resumed > uint64(f.table.n)/8
}
