package pcapfile

import (
	"cmp"
	"io"

	"github.com/closecap/closecap/analyze/event"
)

// pending is a file that was not opened yet: of the many that a timeline may have, it is all that is
// kept until their turn comes.
type pending struct {
	path   string
	index  int        // among the files as they were named
	start  event.Time // of its first frame; 0 when not looked at
	stdin  io.Reader  // what it is read from, instead of its path
	stream bool       // it is no regular file: opening and reading it may stall
}

func (p pending) compare(o pending) int { return cmp.Compare(p.start, o.start) }

// merged is a heap of the open files, each with its next record loaded: the one whose record comes first
// in time is on top, of equal ones the one that was named first.
type merged []entry

type entry struct {
	time event.Time // of the file's next record
	file *file
}

func (m merged) less(i, j int) bool {
	return m[i].time < m[j].time || m[i].time == m[j].time && m[i].file.index < m[j].file.index
}

// push adds a file.
func (m *merged) push(f *file) {
	*m = append(*m, entry{f.rec.Packet.Time, f})
	h := *m
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.less(i, up) {
			return
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

// renew puts the top where its next record belongs.
func (m merged) renew() {
	m[0].time = m[0].file.rec.Packet.Time
	m.sink()
}

// pop takes the top away.
func (m *merged) pop() {
	h := *m
	last := len(h) - 1
	h[0], h[last] = h[last], entry{}
	*m = h[:last]
	m.sink()
}

// sink moves the top down to its place.
func (m merged) sink() {
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(m) {
			return
		}
		if down+1 < len(m) && m.less(down+1, down) {
			down++
		}
		if !m.less(down, i) {
			return
		}
		m[i], m[down] = m[down], m[i]
		i = down
	}
}
