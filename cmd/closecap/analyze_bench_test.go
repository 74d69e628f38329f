package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/closecap/closecap/capture/pcapfile/gen"
)

// BenchmarkAnalyze is `closecap analyze` from the file to the text. What it shows of where the
// time goes is default.pgo, which the compiler goes by: see `make pgo`.
func BenchmarkAnalyze(b *testing.B) {
	path := filepath.Join(b.TempDir(), "bench.pcap")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	made, err := gen.Write(f, gen.Options{Connections: 60_000})
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	for _, args := range [][]string{{"--format", "ndjson"}, {"--summary"}, {"--summary", "--words"}} {
		b.Run(args[len(args)-1], func(b *testing.B) {
			args := append([]string{"analyze", path}, args...)
			packets := int64(0)
			for b.Loop() {
				var failed bytes.Buffer
				if code := run(context.Background(), args, streams{in: os.Stdin, out: io.Discard, err: &failed}); code != 0 {
					b.Fatalf("exit %d: %s", code, failed.String())
				}
				packets += made.Packets
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
		})
	}
}
