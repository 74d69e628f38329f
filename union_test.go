package closecap_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"

	diffs "github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/capture/pcapfile/gen"
	"github.com/closecap/closecap/pcaps"
)

// What is said of a connection depends on its own 4-tuple's segments, and on when the capture ended: not on
// how many others there are. So several followers that share the connections say what one does.
func TestShareOfTheConnectionsSaysTheSame(t *testing.T) {
	captures := map[string][]event.Segment{
		"generated": segmentsOf(t, written(t, gen.Options{Connections: 4000, Open: 400})),
		"reused":    reused(t),
	}
	for _, name := range pcaps.Names() {
		b, err := pcaps.Recording(name)
		if err != nil {
			t.Fatal(err)
		}
		captures[name] = segmentsOf(t, b)
	}
	if len(captures) < 10 {
		t.Fatalf("%d captures, want all recordings among them", len(captures))
	}
	for name, segments := range captures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := shared(segments, 1, analyze.Options{})
			if all := strings.Join(want, "\n"); name == "reused" {
				for _, ended := range []string{`"ended_by":"reuse"`, `"ended_by":"expiry"`} {
					if n := strings.Count(all, ended); n < 5 {
						t.Errorf("%d times %s: the capture tests little", n, ended)
					}
				}
			}
			for _, k := range []int{3, 64} {
				if diff := diffs.Diff(want, shared(segments, k, analyze.Options{})); diff != "" {
					t.Errorf("%d followers (-one +%d):\n%.3000s", k, k, diff)
				}
			}
		})
	}
}

// Where the memory's bound bites that is counted, and what is said of a connection then is what is said
// without a bound, or less.
func TestBoundWithholdsAndTells(t *testing.T) {
	segments := segmentsOf(t, written(t, gen.Options{Connections: 4000, Open: 400}))
	for i := range segments { // so that TIME_WAITs end before the capture does
		segments[i].Time = segments[0].Time + (segments[i].Time-segments[0].Time)*100
	}
	all := map[uint64]analyze.Connection{} // by the first frame
	if st := followed(segments, 1, analyze.Options{MaxMemory: 64 << 20}, func(c *analyze.Connection) { all[c.FirstFrame] = *c }); st.Hurried != 0 {
		t.Fatalf("%d judged before their time in 64 MB", st.Hurried)
	}
	for _, memory := range []int64{2 << 20, 1 << 20} {
		others := uint64(0)
		st := followed(segments, 1, analyze.Options{MaxMemory: memory}, func(c *analyze.Connection) {
			want := all[c.FirstFrame]
			if told(c) == told(&want) {
				return
			}
			others++
			for i, w := range c.TimeWait {
				if w.EndedBy != "" && w.EndedBy != want.TimeWait[i].EndedBy {
					t.Errorf("%d bytes: frame %d: TIME_WAIT ended by %q, want %q", memory, c.FirstFrame, w.EndedBy, want.TimeWait[i].EndedBy)
				}
			}
			if c.Ending != want.Ending || c.Closer != want.Closer || (c.Reset == nil) != (want.Reset == nil) || c.Reset != nil && c.Reset.Cause != want.Reset.Cause {
				t.Errorf("%d bytes: frame %d is %s by %q, want %s by %q", memory, c.FirstFrame, c.Ending, c.Closer, want.Ending, want.Closer)
			}
		})
		if others == 0 || others > st.Hurried || st.Evicted != 0 {
			t.Errorf("%d bytes: %d others, %d judged before their time, %d given up", memory, others, st.Hurried, st.Evicted)
		}
	}
}

func written(t *testing.T, opt gen.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := gen.Write(&b, opt); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// reused are connections of few 4-tuples, whose TIME_WAITs are used again.
func reused(t *testing.T) []event.Segment {
	t.Helper()
	return gen.Reuse(segmentsOf(t, written(t, gen.Options{Connections: 3000, Open: 10})))
}

func segmentsOf(t *testing.T, capture []byte) []event.Segment {
	t.Helper()
	r := pcapfile.NewReader(bytes.NewReader(capture), "capture", pcapfile.Options{})
	defer r.Close()
	rec, err := intake.ReadRecording(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Segments
}

// shared follows the segments in k followers, and returns in an order of their own what they say of the
// connections, but for the numbers that they give those.
func shared(segments []event.Segment, k int, opt analyze.Options) (all []string) {
	followed(segments, k, opt, func(c *analyze.Connection) {
		all = append(all, told(c))
	})
	slices.Sort(all)
	return all
}

// told is what is said of a connection, but for its number.
func told(c *analyze.Connection) string {
	o := *c
	o.ID = 0
	b, err := json.Marshal(&o)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// followed follows the segments in k followers, each with its share of the 4-tuples, and returns the first
// one's counts.
func followed(segments []event.Segment, k int, opt analyze.Options, done func(*analyze.Connection)) flows.Stats {
	followers := make([]*flows.Follower, k)
	for i := range followers {
		followers[i] = flows.NewFollower(opt, done)
	}
	end := event.Time(0)
	for i := range segments {
		s := &segments[i]
		of := 0
		if k > 1 {
			ends := []string{s.Src.String(), s.Dst.String()}
			slices.Sort(ends)
			h := fnv.New32a()
			fmt.Fprint(h, ends)
			of = int(h.Sum32() % uint32(k))
		}
		followers[of].Segment(s)
		end = max(end, s.Time)
	}
	for _, f := range followers {
		f.Pass(end)
		f.Finish()
	}
	return followers[0].Stats()
}
