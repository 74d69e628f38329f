package pcapfile

import (
	"context"
	"io"
	"os"
	"time"
)

// patience is how long a stream may have nothing to read before it is said to stall.
const patience = 100 * time.Millisecond

// interruptible reads a stream that may stall for ever, as standard input and a FIFO may, and
// can be told to stop: nothing else ends a read that the system already waits in. The goroutine
// inside that read ends with it, or with the process, and closes the stream.
type interruptible struct {
	done    <-chan struct{}
	stalled func() bool // called in Read when the stream stalls; false ends the reading
	chunks  chan chunk
	spent   chan []byte // buffers to fill
	last    []byte      // the buffer at hand
	rest    []byte      // what of it was not handed out yet
	err     error
}

type chunk struct {
	b   []byte
	err error
}

func newInterruptible(r io.ReadCloser, done <-chan struct{}, stalled func() bool) *interruptible {
	i := &interruptible{done: done, stalled: stalled, chunks: make(chan chunk), spent: make(chan []byte, 2)}
	for range cap(i.spent) {
		i.spent <- make([]byte, bufferSize/4)
	}
	go i.run(r)
	return i
}

func (i *interruptible) run(r io.ReadCloser) {
	defer r.Close()
	for err := error(nil); err == nil; {
		var b []byte
		select {
		case b = <-i.spent:
		case <-i.done:
			return
		}
		var n int
		n, err = r.Read(b[:cap(b)])
		select {
		case i.chunks <- chunk{b[:n], err}:
		case <-i.done:
			return
		}
	}
}

func (i *interruptible) Read(b []byte) (int, error) {
	for len(i.rest) == 0 {
		if i.err != nil {
			return 0, i.err
		}
		if i.last != nil {
			i.spent <- i.last
		}
		i.last, i.rest, i.err = i.receive()
	}
	n := copy(b, i.rest)
	i.rest = i.rest[n:]
	return n, nil
}

// receive waits for what the stream brings next.
func (i *interruptible) receive() (buffer, rest []byte, err error) {
	select {
	case c := <-i.chunks:
		return c.b, c.b, c.err
	default:
	}
	for wait := time.After(patience); ; wait = nil {
		select {
		case c := <-i.chunks:
			return c.b, c.b, c.err
		case <-wait:
			if !i.stalled() {
				return nil, nil, context.Canceled
			}
		case <-i.done:
			return nil, nil, context.Canceled
		}
	}
}

// late opens its file at the first Read. fifo(7): opening a FIFO waits for its writer.
type late struct {
	path string
	file *os.File
}

func (l *late) Read(b []byte) (n int, err error) {
	if l.file == nil {
		if l.file, err = os.Open(l.path); err != nil {
			return 0, cause(err)
		}
		widen(l.file)
	}
	return l.file.Read(b)
}

func (l *late) Close() error { return l.file.Close() } // of nil: os.ErrInvalid
