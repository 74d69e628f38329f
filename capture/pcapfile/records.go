package pcapfile

import (
	"context"
	"io"
	"iter"

	"github.com/closecap/closecap/analyze/event"
)

// callsKnown is after how many frames it is known whether a timeline has calls.
const callsKnown = 1536

// Records hands out what Next does, until ctx ends, and closes the Reader after it. Where standard
// input or a FIFO has no more for now, both values are nil; that is not said at the beginning of a
// file in which calls may come: whoever reads it goes by whether there are some.
func (r *Reader) Records(ctx context.Context) iter.Seq2[*event.Record, error] {
	return func(yield func(*event.Record, error) bool) {
		defer r.Close()
		if r.cancel == nil {
			r.begin(ctx)
		}
		defer context.AfterFunc(ctx, r.cancel)()
		more := true
		r.stalled = func() bool {
			if r.frame >= callsKnown || r.packetsOnly() {
				more = yield(nil, nil)
			}
			return more
		}
		for more {
			rec, err := r.Next()
			switch {
			case err == io.EOF || !more:
				return
			case err != nil:
				more = yield(nil, err)
			default:
				more = yield(&rec.Record, nil)
			}
		}
	}
}

// First returns the first record, which Next or Records hands out again. It is for who has to know
// what the files are before anything else is read.
func (r *Reader) First(ctx context.Context) (*Record, error) {
	if r.cancel == nil {
		r.begin(ctx)
	}
	if r.first == nil {
		rec, err := r.Next()
		r.first = &looked{rec, err}
	}
	return r.first.rec, r.first.err
}

// looked is what First has read.
type looked struct {
	rec *Record
	err error
}

// begin makes reading of what may stall end with ctx.
func (r *Reader) begin(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.done = ctx.Done()
}

// hasStalled reports whether the reading goes on though nothing comes.
func (r *Reader) hasStalled() bool { return r.stalled == nil || r.stalled() }

// packetsOnly reports whether the files being read are of a kind that holds nothing but packets.
func (r *Reader) packetsOnly() bool {
	for _, e := range r.open {
		if _, ok := e.file.format.(*pcap); !ok {
			return false
		}
	}
	return len(r.open) > 0
}
