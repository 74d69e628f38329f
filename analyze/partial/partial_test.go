package partial_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	diffs "github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows"
	"github.com/closecap/closecap/analyze/partial"
	"github.com/closecap/closecap/analyze/report/encode"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/capture/pcapfile/gen"
	"github.com/closecap/closecap/internal/story"
)

// capture is segments in the order of their timeline.
type capture struct {
	name     string
	segments []event.Segment
	opt      analyze.Options
}

// captures are the stories, the recordings, generated connections, and 4-tuples that are used again.
func captures(t testing.TB) (all []capture) {
	t.Helper()
	for _, file := range story.Files(t, "..") {
		if slices.Contains(translated, filepath.Base(file)) {
			continue
		}
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		opt := analyze.Options{AllSegments: true, SameHost: strings.Contains(string(ar.Comment), "same-host")}
		all = append(all, capture{file, told(t, string(ar.Files[0].Data)), opt})
	}
	files, err := filepath.Glob("../../pcaps/*.pcapng")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, file := range files {
		r, err := pcapfile.Open([]string{file}, nil, pcapfile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, capture{file, segments(t, r), analyze.Options{AllSegments: true}})
	}
	return append(all,
		capture{"generated", generated(t, gen.Options{Connections: 1000, Open: 100}), analyze.Options{}},
		capture{"reused", gen.Reuse(generated(t, gen.Options{Connections: 700, Open: 10})), analyze.Options{}},
	)
}

// translated are the stories in which one connection goes on with the numbers of another.
var translated = []string{"nat-forgot-its-mapping.txt", "nat-forgets-what-is-sent-again.txt"}

// What only two connections tell together, parts withhold.
func TestTranslatedIsWithheld(t *testing.T) {
	for _, file := range story.Files(t, "..") {
		if !slices.Contains(translated, filepath.Base(file)) {
			continue
		}
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := capture{file, told(t, string(ar.Files[0].Data)), analyze.Options{AllSegments: true}}
		if all := strings.Join(whole(c), ""); !strings.Contains(all, `"remapped"`) {
			t.Errorf("%s: the whole does not tell of the translation", file)
		}
		for _, buckets := range []int{1, 7} {
			all := strings.Join(reduced(t, c, pack(t, buckets, c.segments)), "")
			if strings.Contains(all, `"remapped"`) || !strings.Contains(all, `"ending":"unknown"`) {
				t.Errorf("%s, %d buckets: parts say\n%s", file, buckets, all)
			}
		}
	}
}

// told reads the segments of a story, which may stand between calls, and numbers them as a timeline does.
func told(t testing.TB, text string) []event.Segment {
	t.Helper()
	var lines []string
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[3] == ">" {
			lines = append(lines, line)
		}
	}
	all := story.Parse(t, strings.Join(lines, ""))
	for i := range all {
		all[i].Frame = uint64(i + 1)
	}
	return all
}

func segments(t testing.TB, r *pcapfile.Reader) []event.Segment {
	t.Helper()
	defer r.Close()
	rec, err := intake.ReadRecording(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Segments
}

func generated(t testing.TB, opt gen.Options) []event.Segment {
	t.Helper()
	var b bytes.Buffer
	if _, err := gen.Write(&b, opt); err != nil {
		t.Fatal(err)
	}
	return segments(t, pcapfile.NewReader(&b, "generated", pcapfile.Options{}))
}

// record is what a machine writes of a connection, but for the number that it gives it.
func record(c *analyze.Connection) string {
	c.ID = 0
	analyze.Identify(c)
	return string(new(encode.Encoder).Connection(nil, c))
}

// whole follows a capture in one process.
func whole(c capture) (records []string) {
	f := flows.NewFollower(c.opt, func(c *analyze.Connection) { records = append(records, record(c)) })
	f.Segments(c.segments)
	f.Finish()
	slices.Sort(records)
	return records
}

// pack packs each piece of a capture by itself, and returns the parts by bucket.
func pack(t testing.TB, buckets int, pieces ...[]event.Segment) [][][]byte {
	t.Helper()
	parts := make([][][]byte, buckets)
	for _, piece := range pieces {
		p, err := partial.NewPacker("here", buckets, func(bucket int, part []byte) error {
			if len(part) > partial.MaxPart {
				t.Errorf("a part of %d bytes", len(part))
			}
			parts[bucket] = append(parts[bucket], part)
			return nil
		})
		if err == nil {
			err = p.Add(piece)
		}
		if err == nil {
			err = p.Flush()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return parts
}

// reduced is what becomes of parts.
func reduced(t testing.TB, c capture, parts [][][]byte) (records []string) {
	t.Helper()
	end := event.Time(0)
	for i := range c.segments {
		end = max(end, c.segments[i].Time)
	}
	for _, bucket := range parts {
		err := partial.Reduce(bucket, end, c.opt, func(c *analyze.Connection) { records = append(records, record(c)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(records)
	return records
}

// cuts are ways to spread a capture over files or machines.
func cuts(c capture) map[string][][]event.Segment {
	all := map[string][][]event.Segment{"whole": {c.segments}}
	n := len(c.segments)
	r := rand.New(rand.NewPCG(uint64(n), 1))
	const each = 12 // segments up to which each cut is made
	for at := 1; at < n; at++ {
		if n > each {
			at += r.IntN(n / 2)
		}
		at = min(at, n)
		all[fmt.Sprintf("cut at %d", at)] = [][]event.Segment{c.segments[at:], c.segments[:at]}
		other := at + r.IntN(n-at+1)
		all[fmt.Sprintf("cut at %d and %d", at, other)] = [][]event.Segment{c.segments[at:other], c.segments[:at], c.segments[other:]}
	}
	ways, thirds := make([][]event.Segment, 2), make([][]event.Segment, 3)
	for _, s := range c.segments {
		way := 0
		if s.Src.Compare(s.Dst) > 0 {
			way = 1
		}
		ways[way] = append(ways[way], s)
		third := r.IntN(3)
		thirds[third] = append(thirds[third], s)
	}
	all["by direction"], all["at random"] = ways, thirds
	all["twice"] = [][]event.Segment{c.segments, c.segments[n/2:]}
	return all
}

// However a capture is cut, and into however many buckets, its connections are those of the whole one.
func TestPartsSayWhatTheWholeSays(t *testing.T) {
	for _, c := range captures(t) {
		want := whole(c)
		if c.name == "reused" {
			all := strings.Join(want, "")
			if n := min(strings.Count(all, `"ended_by":"reuse"`), strings.Count(all, `"ended_by":"expiry"`)); n < 5 {
				t.Errorf("%s: %d of a kind: it tests little", c.name, n)
			}
		}
		for how, pieces := range cuts(c) {
			buckets := []int{1}
			if !strings.HasPrefix(how, "cut") { // a follower of each bucket costs more than a story
				buckets = append(buckets, 7)
			}
			for _, buckets := range buckets {
				if diff := diffs.Diff(want, reduced(t, c, pack(t, buckets, pieces...))); diff != "" {
					t.Fatalf("%s, %s, %d buckets (-whole +parts):\n%.3000s", c.name, how, buckets, diff)
				}
			}
		}
	}
}

// Merging unites sets: order, grouping and repetition do not matter, to the byte.
func TestMerge(t *testing.T) {
	merge := func(parts ...[][]byte) [][]byte {
		t.Helper()
		out, err := partial.Merge(slices.Concat(parts...))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range captures(t) {
		n := len(c.segments)
		if n < 3 {
			continue
		}
		var p [3][][]byte
		for i, piece := range [][]event.Segment{c.segments[:n/3], c.segments[n/3 : n/2], c.segments[n/2:]} {
			p[i] = pack(t, 1, piece)[0]
		}
		want := merge(p[0], p[1], p[2])
		for how, got := range map[string][][]byte{
			"in another order":     merge(p[2], p[0], p[1]),
			"the first two before": merge(merge(p[0], p[1]), p[2]),
			"the last two before":  merge(p[0], merge(p[1], p[2])),
			"one of them twice":    merge(p[0], p[1], p[2], p[1]),
			"again":                merge(want),
			"of the whole":         merge(pack(t, 1, c.segments)[0]),
		} {
			if !slices.EqualFunc(want, got, bytes.Equal) {
				t.Errorf("%s: merged %s, it is something else", c.name, how)
			}
		}
		if diff := diffs.Diff(whole(c), reduced(t, c, [][][]byte{want})); diff != "" {
			t.Errorf("%s, merged (-whole +parts):\n%.3000s", c.name, diff)
		}
	}
}

// A connection that is larger than a part goes into several, and a part of a packet is small.
func TestSize(t *testing.T) {
	all := generated(t, gen.Options{Connections: 3000, Open: 500})
	size := 0
	for _, bucket := range pack(t, 64, all) {
		for _, part := range bucket {
			size += len(part)
		}
	}
	if most := 25; size > most*len(all) {
		t.Errorf("%d bytes for %d packets: more than %d each", size, len(all), most)
	}
	t.Logf("%.1f bytes a packet", float64(size)/float64(len(all)))
	long := slices.Repeat(story.Parse(t, "1 0.1 client > server P. seq 1001 ack 5001 len 1000 win 502"), 200_000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range long {
		long[i].Frame, long[i].Time = uint64(i+1), event.Time(i+1)
		long[i].Seq += 1000 * 3
		long[i].Options.TSVal = r.Uint32()
	}
	c := capture{"long", long, analyze.Options{}}
	parts := pack(t, 1, long)
	if len(parts[0]) < 2 {
		t.Fatalf("%d parts, want several", len(parts[0]))
	}
	if diff := diffs.Diff(whole(c), reduced(t, c, parts)); diff != "" {
		t.Errorf("(-whole +parts):\n%.3000s", diff)
	}
}

// Parts of different timelines or points do not go together, and what is no part is refused.
func TestRefused(t *testing.T) {
	good := story.Parse(t, "1 0.1 client > server S seq 1000\n2 0.2 server > client S. seq 5000 ack 1001")
	other := slices.Clone(good)
	other[1].Window++
	a, b := pack(t, 1, good)[0], pack(t, 1, other)[0]
	for name, test := range map[string]struct {
		parts [][]byte
		want  string
	}{
		"two timelines":  {slices.Concat(a, b), "unite parts: two different segments are frame 2: they are of different timelines"},
		"nothing":        {[][]byte{nil}, "part 1 of 1: read part: not a part: it does not begin as one"},
		"another format": {[][]byte{a[0], []byte("\xd4\xc3\xb2\xa1 and so on")}, "part 2 of 2: read part: not a part: it does not begin as one"},
		"a newer one":    {[][]byte{slices.Concat(a[0][:3], []byte{2}, a[0][4:])}, "part 1 of 1: read part: not a part of version 1: it has version 2"},
		"cut off":        {[][]byte{a[0][:len(a[0])-1]}, "part 1 of 1: read part: not a part: its checksum is wrong"},
		"too large":      {[][]byte{append(slices.Clone(a[0]), make([]byte, partial.MaxPart)...)}, fmt.Sprintf("part 1 of 1: read part: not a part: %d bytes, and one has at most %d", len(a[0])+partial.MaxPart, partial.MaxPart)},
	} {
		if _, err := partial.Merge(test.parts); fmt.Sprint(err) != test.want {
			t.Errorf("Merge(%s) = %v, want %s", name, err, test.want)
		}
		if err := partial.Reduce(test.parts, 0, analyze.Options{}, func(*analyze.Connection) {}); fmt.Sprint(err) != test.want {
			t.Errorf("Reduce(%s) = %v, want %s", name, err, test.want)
		}
	}
	if _, err := partial.NewPacker("here", 0, nil); err == nil {
		t.Error("a packer into no bucket")
	}
	if _, err := partial.NewPacker(strings.Repeat("x", 300), 1, nil); err == nil {
		t.Error("a packer of a point with a name of 300 bytes")
	}
	p, err := partial.NewPacker("here", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(make([]event.Segment, 1)); err == nil {
		t.Error("a segment without addresses was packed")
	}
}

// A connection's directions share a bucket, and buckets share the connections.
func TestBucket(t *testing.T) {
	count := make([]int, 16)
	for _, s := range generated(t, gen.Options{Connections: 4000, Open: 10}) {
		back := s
		back.Src, back.Dst = s.Dst, s.Src
		b := partial.Bucket(&s, len(count))
		if other := partial.Bucket(&back, len(count)); other != b {
			t.Fatalf("%v > %v is in bucket %d, and its answer in %d", s.Src, s.Dst, b, other)
		}
		if s.Flags == event.SYN {
			count[b]++
		}
	}
	if least, most := slices.Min(count), slices.Max(count); least < 180 || most > 320 {
		t.Errorf("connections by bucket: %d, want about 250 each", count)
	}
}
