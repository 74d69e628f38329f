package closecap

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/internal/story"
)

// replayed is a capture file as a live source, which has nothing more for now after each packet.
type replayed struct{ intake.Source }

func (r replayed) Records(ctx context.Context) iter.Seq2[*event.Record, error] {
	return func(yield func(*event.Record, error) bool) {
		for rec, err := range r.Source.Records(ctx) {
			if !yield(rec, err) || !yield(nil, nil) {
				return
			}
		}
	}
}

// TestLiveWords holds that of a live source the same last words and reasons are told as of its file, that each
// connection is told them before its TIME_WAIT is over, and that nothing is kept of what is over.
func TestLiveWords(t *testing.T) {
	files, err := filepath.Glob("analyze/words/testdata/*.pcap")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	told, early := 0, 0
	for _, file := range files {
		want := map[int]*analyze.LastWords{}
		saved, _ := analyzed(t, file, Options{Words: true})
		for _, c := range saved {
			want[c.ID] = c.LastWords
		}
		r, err := pcapfile.Open([]string{file}, nil, pcapfile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var a *Analysis
		a = New(replayed{r}, Options{Words: true, Now: func() event.Time { return a.counts.Last }})
		for c, err := range a.Connections(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[c.ID], c.LastWords); diff != "" {
				t.Errorf("%s: of connection %d (- saved, + live):\n%s", file, c.ID, diff)
			}
			if c.LastWords != nil {
				told++
			}
			if c.LastFrame+1 < a.counts.Segments {
				early++
			}
			delete(want, c.ID)
		}
		if len(want) > 0 || a.words.Open() != 0 {
			t.Errorf("%s: %d connections were not told of, %d are kept after the end", file, len(want), a.words.Open())
		}
	}
	if told < 100 || early < 20 {
		t.Errorf("%d connections have last words, %d were told of early", told, early)
	}
}

// TestLiveWordsApart holds that a connection is told of without what comes later on the same ports, of itself or of the
// next, though it all came in one batch.
func TestLiveWordsApart(t *testing.T) {
	const one = `
1 0.000 client > server S seq 1000 win 64240
2 0.001 server > client S. seq 5000 ack 1001 win 65160
3 0.002 client > server P. seq 1001 ack 5001 len 14 win 502
4 0.003 server > client P. seq 5001 ack 1015 len 33 win 502
5 0.004 server > client F. seq 5034 ack 1015 win 502
6 0.005 client > server F. seq 1015 ack 5035 win 502
7 0.006 server > client . seq 5035 ack 1016 win 502
8 3.000 client > server P. seq 1001 ack 5001 len 14 win 502
`
	b := &intake.Batch{}
	for i := range 3 {
		for _, s := range story.Parse(t, one) {
			s.Frame, s.Time = s.Frame+uint64(8*i), s.Time.Add(time.Duration(i)*5*time.Second)
			s.Seq, s.Ack = s.Seq.Add(uint32(100000*i)), s.Ack.Add(uint32(100000*i))
			switch b.Segments = append(b.Segments, s); s.Len {
			case 14:
				b.Payload = append(b.Payload, "*1\r\n$4\r\nPING\r\n"...)
			case 33:
				b.Payload = fmt.Appendf(b.Payload, "-ERR max number of clients is %d\r\n", i)
			}
			b.Ends = append(b.Ends, len(b.Payload))
		}
	}
	a := New(silent{}, Options{Words: true})
	a.next = func() (*intake.Batch, error, bool) { return nil, nil, false }
	var got []string
	a.followLive(b, func(c *analyze.Connection) bool {
		if c.LastWords != nil {
			got = append(got, c.LastWords.Said)
		}
		return true
	})
	want := []string{"-ERR max number of clients is 0", "-ERR max number of clients is 1", "-ERR max number of clients is 2"}
	if !slices.Equal(got, want) || a.words.Open() != 0 {
		t.Errorf("said %q, want %q; %d connections are kept", got, want, a.words.Open())
	}
}
