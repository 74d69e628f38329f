package partial_test

import (
	"bytes"
	"cmp"
	"slices"
	"testing"

	diffs "github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/partial"
	"github.com/closecap/closecap/internal/story"
)

// Wherever the packer flushes, also between segments that stand at one frame, as those of fragments which were given up there
// do, the timeline is the same to the byte, and so are its connections.
func TestFlushAnywhere(t *testing.T) {
	all := story.Parse(t, `1 0.0 client > server S seq 1000 win 64240
2 0.1 server > client S. seq 5000 ack 1001 win 65160
3 0.2 client > server . seq 1001 ack 5001 win 502
7 0.3 client > server P. seq 1031 ack 5001 len 10 win 502
4 0.3 client > server P. seq 1001 ack 5001 len 10 win 502
5 0.3 client > server P. seq 1011 ack 5001 len 10 win 502
6 0.3 client > server P. seq 1021 ack 5001 len 10 win 502
8 0.4 server > client . seq 5001 ack 1041 win 502
9 0.5 client > server F. seq 1041 ack 5001 win 502
10 0.6 server > client F. seq 5001 ack 1042 win 502
11 0.7 client > server . seq 1042 ack 5002 win 502`)
	c := capture{"given up", all, analyze.Options{AllSegments: true}}
	want, err := partial.Merge(pack(t, 1, all)[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 530, 545, 560, 575} {
		var parts [][]byte
		p, err := partial.NewPacker("here", 1, func(_ int, part []byte) error {
			parts = append(parts, part)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		p.FlushAt(size)
		if err := cmp.Or(p.Add(all[:5]), p.Add(all[5:]), p.Flush()); err != nil {
			t.Fatal(err)
		}
		if size == 1 && len(parts) != len(all) || len(parts) < 2 {
			t.Errorf("flushed at %d bytes: %d parts", size, len(parts))
		}
		got, err := partial.Merge(parts)
		if err != nil || !slices.EqualFunc(want, got, bytes.Equal) {
			t.Errorf("flushed at %d bytes, %d parts, %v: they merge to something else", size, len(parts), err)
		}
		if diff := diffs.Diff(whole(c), reduced(t, c, [][][]byte{parts})); diff != "" {
			t.Errorf("flushed at %d bytes (-whole +parts):\n%.3000s", size, diff)
		}
	}
}
