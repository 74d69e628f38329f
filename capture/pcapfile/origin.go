package pcapfile

import (
	"sort"
	"sync"
)

// Span is frames of a timeline that come from one file without another's in between: from Frame, which is
// FileFrame of File, to the next Span's.
type Span struct {
	Frame     uint64
	File      string
	FileFrame uint64
}

// maxSpans bounds what is kept of the order in which files gave their frames: rotated files give a span each, files
// that were captured at the same time one for each change.
const maxSpans = 1 << 20

// origins says which file a frame is from. It may be asked by another goroutine than the Reader's.
type origins struct {
	mu    sync.Mutex
	spans []Span
	of    *file
}

// follow notes that f gives the frames from frame on.
func (o *origins) follow(f *file, frame uint64) {
	if o.of == f {
		return
	}
	o.of = f
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.spans) >= maxSpans {
		o.spans = o.spans[:copy(o.spans, o.spans[maxSpans/2:])]
	}
	o.spans = append(o.spans, Span{frame, f.path, f.rec.FileFrame})
}

// Origin returns the file that a frame was read from, and the frame's number in it; "" where files have changed too
// often since to know it. It may be called while another goroutine reads.
func (r *Reader) Origin(frame uint64) (file string, fileFrame uint64) {
	r.origins.mu.Lock()
	defer r.origins.mu.Unlock()
	return OriginIn(r.origins.spans, frame)
}

// OriginIn is Origin by spans in order.
func OriginIn(spans []Span, frame uint64) (file string, fileFrame uint64) {
	i := sort.Search(len(spans), func(i int) bool { return spans[i].Frame > frame })
	if i == 0 {
		return "", 0
	}
	s := &spans[i-1]
	return s.File, s.FileFrame + frame - s.Frame
}

// Spans returns what Origin knows once all is read.
func (r *Reader) Spans() []Span { return r.origins.spans }

// Files returns how many files the timeline has.
func (r *Reader) Files() int { return r.files }
