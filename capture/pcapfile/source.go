package pcapfile

import "io"

const (
	// bufferSize is small enough to stay in a core's cache between the read and the decoder.
	bufferSize = 256 << 10
	// minBuffer is what a file has at least, however many are read at a time.
	minBuffer = 4 << 10
	// buffersSize is what the buffers of all files that are read at a time may take, as long as each
	// can have minBuffer.
	buffersSize = 16 << 20
)

// source is a stream that hands out its own buffer.
type source struct {
	r      io.Reader
	buf    []byte
	lo, hi int   // buf[lo:hi] was read and not consumed
	start  int64 // of buf in the stream
	err    error // what Read ended with
}

func newSource(r io.Reader, buf []byte) *source { return &source{r: r, buf: buf} }

// bufferFor is the buffer's size of the next file to be opened: the more are open, the smaller.
func (r *Reader) bufferFor() int {
	return min(max(buffersSize/(len(r.open)+1), minBuffer), bufferSize)
}

// buffer returns one of at least size bytes, if possible that of a file that has ended: to clear new ones
// costs more than to read a small file.
func (r *Reader) buffer(size int) []byte {
	if b := r.unused; len(b) >= size {
		r.unused = nil
		return b
	}
	return make([]byte, size)
}

// spare keeps the buffer of a file that has ended for the next one.
func (r *Reader) spare(b []byte) {
	if len(b) > len(r.unused) && len(b) <= bufferSize {
		r.unused = b
	}
}

// peek returns the next n bytes without consuming them. With none left the error is io.EOF,
// with fewer than n io.ErrUnexpectedEOF. The bytes are valid until the next peek.
func (s *source) peek(n int) ([]byte, error) {
	if err := s.have(n); err != nil {
		return s.buf[s.lo:s.hi], err
	}
	return s.buf[s.lo : s.lo+n], nil
}

// have sees to it that the next n bytes are in buf. Its errors are those of peek.
func (s *source) have(n int) error {
	if s.hi-s.lo >= n {
		return nil
	}
	return s.fill(n)
}

// skip consumes n bytes that a peek returned.
func (s *source) skip(n int) { s.lo += n }

// offset is where in the stream the next byte stands.
func (s *source) offset() int64 { return s.start + int64(s.lo) }

// fill reads until n bytes are there. The buffer doubles as the bytes arrive, so that its
// size follows what the stream holds and never what a length field says.
func (s *source) fill(n int) error {
	copy(s.buf, s.buf[s.lo:s.hi])
	s.start, s.lo, s.hi = s.offset(), 0, s.hi-s.lo
	for empty := 0; s.hi < n; {
		if s.err != nil {
			return s.ended()
		}
		if s.hi == len(s.buf) {
			s.buf = append(s.buf, make([]byte, min(len(s.buf), n))...)
		}
		var got int
		got, s.err = s.r.Read(s.buf[s.hi:])
		s.hi += got
		if got > 0 {
			empty = 0
		} else if empty++; empty > 100 && s.err == nil {
			s.err = io.ErrNoProgress
		}
	}
	return nil
}

func (s *source) ended() error {
	if s.err == io.EOF && s.hi > 0 {
		return io.ErrUnexpectedEOF
	}
	return s.err
}
