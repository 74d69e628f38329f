package words_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/words"
	"github.com/closecap/closecap/capture/decode"
	"github.com/closecap/closecap/capture/pcapfile"
)

var update = flag.Bool("update", false, "rewrite the expected words")

// packet is a segment of a capture with its payload.
type packet struct {
	event.Segment
	payload []byte
}

// read reads the segments of a capture.
func read(t testing.TB, file string) (all []packet) {
	t.Helper()
	r, err := pcapfile.Open([]string{file}, nil, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := decode.New()
	for rec, err := range r.Records(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		var s event.Segment
		if rec != nil && !rec.Journal && d.Segment(&rec.Packet, &s) == decode.TCP {
			all = append(all, packet{s, slices.Clone(d.Payload())})
		}
	}
	return all
}

// told is what was heard of one connection, and whether it has ended.
type told struct {
	*words.Heard
	over bool
}

// heard returns what was said on each connection of packets.
func heard(packets []packet) (all []*told) {
	k := words.NewKeeper()
	seen := map[event.Pair]*told{}
	var order []event.Pair
	for i := range packets {
		s := &packets[i].Segment
		k.Segment(s, packets[i].payload)
		p := event.PairOf(s.Src, s.Dst)
		if seen[p] == nil {
			seen[p] = &told{}
			order = append(order, p)
		}
		seen[p].over = seen[p].over || s.Flags&(event.FIN|event.RST) != 0
	}
	for _, p := range order {
		if seen[p].Heard = k.Take(p.A, p.B, 1<<62); seen[p].Heard != nil {
			all = append(all, seen[p])
		}
	}
	return all
}

// tell returns the words of each connection of packets, as lines.
func tell(packets []packet) (lines []string) {
	for _, h := range heard(packets) {
		for e, side := range [...]string{"client", "server"} {
			w := h.Words(words.End(e), h.over, false)
			if w == nil {
				w = &analyze.Words{}
			}
			mark := ""
			if w.Tells {
				mark = " (tells)"
			}
			lines = append(lines, fmt.Sprintf("%s %s: %q frame %d %s closing %d%s", side, cmp.Or(w.Protocol, "-"), w.Meaning, w.Frame, cmp.Or(w.Confidence, "-"), w.Closing, mark))
		}
	}
	return lines
}

// TestCaptures holds the words to those of captures of real servers, each on a port that is not its own.
func TestCaptures(t *testing.T) {
	files, err := filepath.Glob("testdata/*.pcap")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".pcap"), func(t *testing.T) {
			packets := read(t, file)
			got := strings.Join(tell(packets), "\n") + "\n"
			expected := strings.TrimSuffix(file, ".pcap") + ".txt"
			if *update {
				if err := os.WriteFile(expected, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("words:\n%swant:\n%s", got, want)
			}
		})
	}
}
