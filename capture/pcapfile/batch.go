package pcapfile

import (
	"context"
	"io"
	"iter"
	"slices"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/decode"
)

// Batch is a run of segments in the order of their frames, and what stood between them.
type Batch struct {
	Segments     []event.Segment
	Calls        []event.Call
	Run          *event.Run // with Expectations, in the batch that holds the run's entry
	Expectations []event.Expectation
	Counts       Counts // from the timeline's begin to this batch's end
	Stalled      bool   // standard input, or a FIFO, has nothing more for now
}

// Counts is what was read of a timeline.
type Counts struct {
	Frames   uint64 // packets and journal entries, those that Keep refused included
	Packets  uint64 // those that were decoded
	Segments uint64
	Unparsed [decode.Reasons]uint64 // by reason: packets that could not be read down to TCP
	Cut      uint64                 // packets that the snap length cut
	First    event.Time
	Last     event.Time // the latest, wherever it stood
}

// A batch is long enough that who waits for one sleeps seldom: a kernel that finds its cores busy
// wakes a thread on the core where it slept, behind the one that runs there, though another core
// has just become idle. Batches in flight bound the memory.
const (
	batchSize = 1536
	inFlight  = 8
)

// Batches reads and decodes in a goroutine of its own while the caller works. A batch is valid
// until the next one is asked for, and its arrays are used again. Errors stand where they
// arose: one of a file does not end the sequence, one of ctx does. When the loop ends, the
// goroutine has ended too, and the Reader is closed.
func (r *Reader) Batches(ctx context.Context, d *decode.Decoder) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		r.done = ctx.Done()
		b := &batcher{
			r: r, d: d, done: ctx.Done(),
			full: make(chan result, inFlight), free: make(chan *Batch, inFlight),
		}
		r.stalled = b.stall
		for range inFlight {
			b.free <- &Batch{Segments: make([]event.Segment, 0, batchSize)}
		}
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			defer close(b.full)
			b.run()
		}()
		defer func() { cancel(); <-finished; r.Close() }()

		for got := range b.full {
			if ctx.Err() != nil {
				break
			}
			if !yield(got.batch, got.err) {
				return
			}
			if got.batch != nil {
				b.free <- got.batch
			}
		}
		if err := context.Cause(ctx); err != nil {
			yield(nil, err)
		}
	}
}

type result struct {
	batch *Batch
	err   error
}

// batcher is the reading side of Batches.
type batcher struct {
	r      *Reader
	d      *decode.Decoder
	done   <-chan struct{}
	full   chan result
	free   chan *Batch
	batch  *Batch
	counts Counts
	handed bool // a batch that was full
}

func (b *batcher) run() {
	if !b.take() {
		return
	}
	for {
		rec, err := b.r.Next()
		b.counts.Frames = b.r.frame
		switch {
		case err == io.EOF:
			b.d.Flush()
			b.abandoned()
			b.send()
			return
		case err != nil:
			if !b.hand() || !b.fail(err) {
				return
			}
			continue
		}
		b.record(rec)
		if len(b.batch.Segments) >= batchSize || len(b.batch.Calls) >= batchSize {
			if !b.hand() {
				return
			}
			b.handed = true
		}
	}
}

// stall hands over what there is while the input has no more. Who reads a recording knows
// it by what the first batch holds: that one waits until it is full, where there may be calls.
func (b *batcher) stall() {
	if !b.handed && !b.r.packetsOnly() {
		return
	}
	b.batch.Stalled = true
	if !b.hand() {
		b.batch = &Batch{} // the last one may still be read
	}
}

func (b *batcher) record(rec *Record) {
	switch {
	case rec.Call != nil:
		b.batch.Calls = append(b.batch.Calls, *rec.Call)
	case rec.Run != nil:
		b.batch.Run, b.batch.Expectations = rec.Run, rec.Expectations
	case !rec.Journal:
		b.packet(&rec.Packet)
	}
}

func (b *batcher) packet(p *event.Packet) {
	c := &b.counts
	c.Packets++
	if p.WireLen > len(p.Data) {
		c.Cut++
	}
	if c.First == 0 {
		c.First = p.Time
	}
	c.Last = max(c.Last, p.Time)

	to := b.batch
	n := len(to.Segments)
	if n == cap(to.Segments) { // only abandoned fragments can fill it up
		to.Segments = slices.Grow(to.Segments, 1)
	}
	switch b.d.Segment(p, &to.Segments[:n+1][n]) {
	case decode.TCP:
		to.Segments = to.Segments[:n+1]
		c.Segments++
	case decode.Unparsed:
		c.Unparsed[b.d.Why()]++
	default:
		b.abandoned()
	}
}

// abandoned adds the fragments whose datagram will not come.
func (b *batcher) abandoned() {
	var s event.Segment
	for b.d.Abandoned(&s) {
		b.batch.Segments = append(b.batch.Segments, s)
		b.counts.Segments++
	}
}

// hand sends the batch off and takes an empty one; false means that nobody reads any more.
func (b *batcher) hand() bool { return b.send() && b.take() }

func (b *batcher) send() bool {
	b.batch.Counts = b.counts
	return b.put(result{batch: b.batch})
}

func (b *batcher) fail(err error) bool { return b.put(result{err: err}) }

func (b *batcher) put(r result) bool {
	select {
	case b.full <- r:
		return true
	case <-b.done:
		return false
	}
}

func (b *batcher) take() bool {
	select {
	case b.batch = <-b.free:
		*b.batch = Batch{Segments: b.batch.Segments[:0], Calls: b.batch.Calls[:0]}
		return true
	case <-b.done:
		return false
	}
}
