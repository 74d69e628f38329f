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
		ctx, cancel := context.WithCancel(ctx)
		defer r.Close()
		defer cancel()
		more := true
		r.done, r.stalled = ctx.Done(), func() bool {
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

// packetsOnly reports whether the files being read are of a kind that holds nothing but packets.
func (r *Reader) packetsOnly() bool {
	for _, f := range r.open {
		if _, ok := f.format.(*pcap); !ok {
			return false
		}
	}
	return len(r.open) > 0
}
