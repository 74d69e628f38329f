package pcapfile

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/decode"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile/gen"
)

// benchFile is CLOSECAP_BENCH_FILE, or a small capture of the same making.
func benchFile(b *testing.B) string {
	if path := os.Getenv("CLOSECAP_BENCH_FILE"); path != "" {
		return path
	}
	path := filepath.Join(b.TempDir(), "bench.pcap")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := gen.Write(f, gen.Options{Connections: 5000, Open: 500}); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

// perPacket reads the whole file once an iteration and reports what one packet cost.
func perPacket(b *testing.B, read func(r *Reader) uint64) {
	path := benchFile(b)
	b.ResetTimer()
	var packets uint64
	for b.Loop() {
		r, err := Open([]string{path}, nil, Options{})
		if err != nil {
			b.Fatal(err)
		}
		packets += read(r)
		r.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
}

func BenchmarkRead(b *testing.B) {
	perPacket(b, func(r *Reader) (n uint64) {
		for {
			if _, err := r.Next(); err == io.EOF {
				return n
			} else if err != nil {
				b.Fatal(err)
			}
			n++
		}
	})
}

func BenchmarkReadAndDecode(b *testing.B) {
	perPacket(b, func(r *Reader) (n uint64) {
		d := decode.New()
		var s event.Segment
		for {
			rec, err := r.Next()
			if err == io.EOF {
				return n
			}
			if d.Segment(&rec.Packet, &s) != decode.TCP {
				b.Fatal(d.Why())
			}
			n++
		}
	})
}

func BenchmarkBatches(b *testing.B) {
	perPacket(b, func(r *Reader) (n uint64) {
		for batch, err := range intake.Batches(context.Background(), r, intake.Options{}) {
			if err != nil {
				b.Fatal(err)
			}
			n += uint64(len(batch.Segments))
		}
		return n
	})
}
