package words

import (
	"hash/maphash"
	"math/bits"

	"github.com/closecap/closecap/analyze/event"
)

// stream tells whether another one carries the same bytes: it keeps a digest of its first 1, 2, 4, 8... bytes, with
// when they had come, and none of them.
type stream struct {
	hash  maphash.Hash
	marks []mark
	n     int64
	torn  bool // what follows was not captured
}

type mark struct {
	sum  uint64
	time event.Time
}

func (s *stream) add(b []byte, at event.Time) {
	for !s.torn && len(b) > 0 {
		next := int64(1) << len(s.marks)
		n := min(next-s.n, int64(len(b)))
		s.hash.Write(b[:n])
		if s.n, b = s.n+n, b[n:]; s.n == next {
			s.marks = append(s.marks, mark{s.hash.Sum64(), at})
		}
	}
}

// reset begins anew.
func (s *stream) reset() {
	s.hash.Reset()
	s.marks, s.n, s.torn = s.marks[:0], 0, false
}

// passedOn returns how many bytes of s are known to be all that to carries, or, where that is shorter, its beginning:
// each of them there no earlier than here. ok is false where that is not so.
func (s *stream) passedOn(to *stream) (n int64, ok bool) {
	if to.n > s.n && !s.torn {
		return 0, false // it carries more
	}
	n = min(s.n, to.n)
	common := bits.Len64(uint64(n))
	for i := range common {
		if from, to := s.marks[i], to.marks[i]; from.sum != to.sum || to.time < from.time {
			return 0, false
		}
	}
	switch {
	case s.n == to.n && s.hash.Sum64() == to.hash.Sum64():
		return n, true
	case s.n == to.n:
		return 0, false
	case n == 0:
		return 0, true
	}
	return 1 << (common - 1), true
}
