// Package intake turns what a source hands out, packets and recorded calls, into batches of
// segments. A source is capture files (package pcapfile), an interface (package live), or what a
// program makes one.
//
// It decodes, counts, and keeps a few batches ahead of whoever reads them. It follows no
// connection, and knows neither file formats nor interfaces.
package intake

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/decode"
)

// Source is where records come from.
type Source interface {
	// Records hands out the records in time order, once, each valid until the next; frames and
	// the IDs of calls count them from 1. It waits for them no longer than ctx allows, and gives
	// up what the source holds open when it ends. An error ends a part of the source, as one of
	// its files; others may follow. Where both are nil, what came so far is to be handed on: nothing
	// has come for a while, or it has waited for a while.
	Records(ctx context.Context) iter.Seq2[*event.Record, error]

	// LinkTypes returns the LINKTYPE_ values that have occurred so far, and Dropped how many
	// packets the capture says it lost. Once Records has ended they are final.
	LinkTypes() []uint16
	Dropped() uint64
}

// Batch is a run of segments in the order of their frames, and what stood between them.
type Batch struct {
	Segments     []event.Segment
	Calls        []event.Call
	Kernel       []event.KernelEvent // of recordings of runs and traces
	Run          *event.Run          // with Expectations, in the batch that holds the run's entry; what earlier ones lost is in it
	Expectations []event.Expectation
	Runs         int    // how many runs' entries it holds: Run is the last of them
	Counts       Counts // from the timeline's begin to this batch's end
	Payload      []byte // of the segments, one after the other, as far as it was captured; only where Options ask for it
	Ends         []int  // where in it each segment's ends
	Stalled      bool   // the source had nothing more for now, or asks not to wait for it
}

// Counts is what was read of a timeline.
type Counts struct {
	Packets  uint64 // those that were decoded
	Segments uint64
	Unparsed [decode.Reasons]uint64 // by reason: packets that could not be read down to TCP
	Others   decode.Others          // by what they were: packets without TCP
	Watched  uint64                 // entries of closecap watch, which are not read
	Cut      uint64                 // packets that the snap length cut
	First    event.Time
	Last     event.Time // the latest, wherever it stood
	Early    Early
}

// Early is the first segment that stands backwards or more behind one before it: segments are followed in the order
// of the file. The zero value is none.
type Early struct {
	Frame uint64
	By    time.Duration
}

// backwards is from which step on a clock that was set back, or the queues of a network card,
// no longer explain that a capture runs backwards.
const backwards = time.Second

// Add adds what was read of another timeline, beside which nothing is early.
func (c *Counts) Add(o *Counts) {
	c.Packets += o.Packets
	c.Segments += o.Segments
	for i, n := range o.Unparsed {
		c.Unparsed[i] += n
	}
	c.Others.AddAll(&o.Others)
	c.Watched += o.Watched
	c.Cut += o.Cut
	if c.First == 0 || o.First != 0 && o.First < c.First {
		c.First = o.First
	}
	c.Last = max(c.Last, o.Last)
}

// A long batch keeps its consumer from blocking often: a kernel that finds its cores busy wakes a
// thread on the core where it slept, behind the one that runs there, though another core has just
// become idle. Batches in flight bound the memory.
const (
	batchSize = 1536
	inFlight  = 8
	// clearedAtOnce is how many segments are cleared before they are written. What was read on another core comes
	// back many cache lines at a time by that, 3 to 7 % of the CPU time; few enough stay in the first cache until they
	// are written, another 3 %.
	clearedAtOnce = 64
	// maxPayload bounds a batch where payload goes with it.
	maxPayload = 256 << 10
)

// Options say how packets are read. The zero value works.
type Options struct {
	SkipChecksums bool // none is verified, and none is wrong
	// Payload, when set, says of a payload that was captured whole what it tells of what is said: batches hold the
	// segments' payload.
	Payload func(payload []byte) event.Speech
}

// Batches reads and decodes in a goroutine of its own while the caller works. A batch is valid
// until the next one is asked for, and its arrays are used again. Errors stand where they
// arose: one of src does not end the sequence, one of ctx does. When the loop ends, the
// goroutine has ended too, and with it src's Records.
func Batches(ctx context.Context, src Source, opt Options) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		b := &batcher{
			decoder: decode.Decoder{SkipChecksums: opt.SkipChecksums},
			payload: opt.Payload,
			done:    ctx.Done(),
			full:    make(chan result, inFlight), free: make(chan *Batch, inFlight),
		}
		for range inFlight {
			empty := &Batch{Segments: make([]event.Segment, 0, batchSize)}
			if opt.Payload != nil {
				empty.Payload, empty.Ends = make([]byte, 0, maxPayload+64<<10), make([]int, 0, batchSize)
			}
			b.free <- empty
		}
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			defer close(b.full)
			b.read(ctx, src)
		}()
		defer func() { cancel(); <-finished }()

		for got := range b.full {
			if ctx.Err() != nil && got.err != nil {
				continue // that reading was broken off is told below, after what was read
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
	decoder decode.Decoder
	payload func([]byte) event.Speech // nil where nobody asks for it
	done    <-chan struct{}
	full    chan result
	free    chan *Batch
	batch   *Batch
	counts  Counts
	latest  event.Time // of the segments
	run     *event.Run // the last
	watched bool       // a recording of closecap watch has begun
}

func (b *batcher) read(ctx context.Context, src Source) {
	if !b.take() {
		return
	}
	for rec, err := range src.Records(ctx) {
		switch {
		case err != nil:
			if !b.hand() || !b.put(result{err: err}) {
				return
			}
			continue
		case rec == nil:
			b.batch.Stalled = true
			if !b.hand() {
				return
			}
			continue
		}
		b.record(rec)
		if max(len(b.batch.Segments), len(b.batch.Calls), len(b.batch.Kernel)) >= batchSize || len(b.batch.Payload) >= maxPayload {
			if !b.hand() {
				return
			}
		}
	}
	b.decoder.Flush()
	b.abandoned()
	b.send()
}

func (b *batcher) record(rec *event.Record) {
	switch {
	case rec.Call != nil:
		b.batch.Calls = append(b.batch.Calls, *rec.Call)
	case rec.Run != nil:
		if b.run != nil {
			rec.Run.After(b.run)
		}
		b.run = rec.Run
		b.batch.Run, b.batch.Expectations = rec.Run, rec.Expectations
		b.batch.Runs++
	case rec.Kernel != nil:
		b.kernel(rec.Kernel)
	case !rec.Journal:
		b.packet(&rec.Packet)
	}
}

// kernel takes what the kernel told of a run or a trace. closecap watch tells of all connections, also of those of
// other network namespaces, which may have the same addresses.
func (b *batcher) kernel(e *event.KernelEntry) {
	b.watched = b.watched || e.Begin != nil
	if b.watched || e.KernelEvent == (event.KernelEvent{}) {
		b.counts.Watched++
		return
	}
	b.batch.Kernel = append(b.batch.Kernel, e.KernelEvent)
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
	if n%clearedAtOnce == 0 {
		clear(to.Segments[n:min(n+clearedAtOnce, cap(to.Segments))])
	}
	switch b.decoder.Segment(p, &to.Segments[:n+1][n]) {
	case decode.TCP:
		to.Segments = to.Segments[:n+1]
		c.Segments++
		b.date(p)
		if b.payload != nil {
			b.speech(&to.Segments[n])
		}
	case decode.Unparsed:
		c.Unparsed[b.decoder.Why()]++
	default:
		b.abandoned()
	}
	if o := b.decoder.Other(); o != (decode.Other{}) {
		c.Others.Add(o)
	}
}

// date takes in when p, a segment, was captured.
func (b *batcher) date(p *event.Packet) {
	if by := b.latest.Sub(p.Time); by >= backwards && b.counts.Early.Frame == 0 {
		b.counts.Early = Early{p.Frame, by}
	}
	b.latest = max(b.latest, p.Time)
}

// speech keeps the payload of s, the last segment, and says what it tells.
func (b *batcher) speech(s *event.Segment) {
	var payload []byte
	if s.Len > 0 {
		payload = b.decoder.Payload()
	}
	if len(payload) > 0 && len(payload) == int(s.Len) {
		s.Options.Speech = b.payload(payload)
	}
	b.batch.keep(payload)
}

// keep keeps the payload of the last segment.
func (b *Batch) keep(payload []byte) {
	if len(payload) > 0 {
		b.Payload = append(b.Payload, payload...)
	}
	b.Ends = append(b.Ends, len(b.Payload))
}

// abandoned adds the fragments whose datagram will not come.
func (b *batcher) abandoned() {
	var s event.Segment
	for b.decoder.Abandoned(&s) {
		b.batch.Segments = append(b.batch.Segments, s)
		b.counts.Segments++
		if b.payload != nil {
			b.batch.keep(nil)
		}
	}
}

// hand sends the batch off and takes an empty one; false means that nobody reads any more.
func (b *batcher) hand() bool { return b.send() && b.take() }

func (b *batcher) send() bool {
	b.batch.Counts = b.counts
	return b.put(result{batch: b.batch})
}

func (b *batcher) put(r result) bool {
	select {
	case b.full <- r: // also when all is to end: it has been read
		return true
	default:
	}
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
		*b.batch = Batch{Segments: b.batch.Segments[:0], Calls: b.batch.Calls[:0], Kernel: b.batch.Kernel[:0],
			Payload: b.batch.Payload[:0], Ends: b.batch.Ends[:0]}
		return true
	case <-b.done:
		return false
	}
}
