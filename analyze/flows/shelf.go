package flows

// maxClosing is how many connections of which both FINs were sent wait in the backlog: the others, a
// TIME_WAIT's worth, are on the shelf, so that the backlog stays in the caches.
const maxClosing = 1 << 12

// shelf is the memory of what waits of connections that will hardly go on, packed, that of each behind
// that of the one before: they are looked at again in that order. What is written and read in order
// costs a processor little, where each chunk of a list costs it a miss.
type shelf struct {
	boards []board
	last   int   // the board that is being filled
	free   []int // boards on which nothing stands
}

// board is a part of a shelf: how many connections stand on it, and their entries.
type board struct {
	n int
	b []byte
}

const boardSize = 1 << 16 // so that a chunk's number holds a board's and where on it

// memory returns how many bytes the shelf takes.
func (s *shelf) memory() int64 { return int64(len(s.boards)-len(s.free)) * boardSize }

// put takes what waits at h from the backlog.
func (s *shelf) put(h *head, from *backlog) {
	if len(s.boards) == 0 || len(s.boards[s.last].b)+int(h.waiting)*maxPacked > boardSize {
		s.next()
	}
	to := &s.boards[s.last]
	at, b := len(to.b), to.b
	var x expected
	for t := range from.all(h) {
		b = x.pack(b, t)
	}
	to.b = b
	to.n++
	n := h.waiting
	from.clear(h)
	h.waiting, h.firstChunk, h.lastChunk = n, chunkNo(s.last*boardSize+at), 0 // chunk 0 is nobody's
}

// next finds a board to fill.
func (s *shelf) next() {
	if n := len(s.free); n > 0 {
		s.last, s.free = s.free[n-1], s.free[:n-1]
		return
	}
	s.boards = append(s.boards, board{b: make([]byte, 0, boardSize)})
	s.last = len(s.boards) - 1
}

// unpack puts what waits at h into to, in order.
func (s *shelf) unpack(h *head, to *[maxBacklog]entry) []entry {
	b := s.boards[h.firstChunk/boardSize].b[h.firstChunk%boardSize:]
	var x expected
	for i := range h.waiting {
		b = x.unpack(b, &to[i])
	}
	return to[:h.waiting]
}

// firstFrame returns the first frame of what waits at h.
func (s *shelf) firstFrame(h *head) uint64 {
	var x expected
	var t entry
	x.unpack(s.boards[h.firstChunk/boardSize].b[h.firstChunk%boardSize:], &t)
	return t.frame
}

// clear forgets what waits at h.
func (s *shelf) clear(h *head) {
	no := int(h.firstChunk / boardSize)
	from := &s.boards[no]
	h.waiting = 0
	if from.n--; from.n > 0 {
		return
	}
	from.b = from.b[:0]
	if no != s.last {
		s.free = append(s.free, no)
	}
}

// putUp puts the connections on the shelf that were closed first of those in the backlog.
func (f *Follower) putUp() {
	r := &f.roster
	f.fetchFirst(closing)
	for range roomLot {
		p := r.first(closing)
		h := &r.heads[p]
		f.shelf.put(h, &f.backlog)
		r.move(shelved, p, h.queued)
	}
}

// takeDown takes the connection at p, which goes on after all, from the shelf.
func (f *Follower) takeDown(p place) {
	h := &f.roster.heads[p]
	shelf := *h
	h.waiting = 0
	for _, t := range f.shelf.unpack(&shelf, &f.unpacked) {
		f.backlog.add(h, &t)
	}
	f.shelf.clear(&shelf)
	f.roster.move(closing, p, h.queued)
}
