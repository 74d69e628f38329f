// Package thin_test holds the analysis to the property that makes its verdicts worth something:
// a capture with fewer packets never says another thing than the whole one, but less.
package thin_test

import (
	"cmp"
	"flag"
	"fmt"
	"hash/crc32"
	"iter"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/internal/story"
)

var (
	each  = flag.Int("each", 1, "how many generated connections of each kind")
	every = flag.Bool("every", false, "print each contradiction")
	files = flag.String("captures", "", "hold these captures of others, a pattern, instead of the project's own")
	seed  = flag.Uint("seed", 0, "with another number, others of the packets are lost")
	sets  = flag.Int("sets", 7, "of an input with so many packets at most, try each set of them")
	show  = flag.String("show", "", "print the segments of the input of that name")
)

// input is a whole capture.
type input struct {
	name     string
	segments []event.Segment
	sameHost bool
}

// inputs are the stories, the recordings without their calls, and generated connections.
func inputs(t *testing.T) []input {
	t.Helper()
	if *files != "" {
		return split(captures(t, *files, false))
	}
	all := append(stories(t), captures(t, "../../pcaps/*.pcapng", true)...)
	for seed := range uint64(*each * len(plots) * 3) {
		name, segments, _ := play(seed, []float64{0, 0.02, 0.1}[seed/uint64(len(plots))%3])
		all = append(all, input{name, segments, false})
	}
	return all
}

// stories are those that flows and join are held to.
func stories(t *testing.T) (all []input) {
	t.Helper()
	for _, file := range story.Files(t, "..") {
		all = append(all, told(t, file))
	}
	return all
}

// framesOf lists the frames of segments.
func framesOf(segments []event.Segment) []uint64 {
	var frames []uint64
	for i := range segments {
		frames = append(frames, segments[i].Frame)
	}
	return frames
}

// captures reads files without their calls.
func captures(t *testing.T, pattern string, sameHost bool) (all []input) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures %s: %v", pattern, err)
	}
	for _, file := range files {
		r, err := pcapfile.Open([]string{file}, nil, pcapfile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		rec, err := intake.ReadRecording(t.Context(), r)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, input{filepath.Base(file), rec.Segments, sameHost})
	}
	return all
}

// split makes an input of each pair of endpoints, so that no connection is held as often as others have
// packets. What is long is left out: it would take time with the square of that.
func split(all []input) (each []input) {
	const long = 600
	for _, in := range all {
		pairs := map[[2]netip.AddrPort]int{}
		from := len(each)
		for _, s := range in.segments {
			pair := [2]netip.AddrPort{s.Src, s.Dst}
			if s.Dst.Compare(s.Src) < 0 {
				pair = [2]netip.AddrPort{s.Dst, s.Src}
			}
			at, ok := pairs[pair]
			if !ok {
				at = len(each)
				pairs[pair] = at
				each = append(each, input{name: fmt.Sprintf("%s#%d", in.name, at-from)})
			}
			each[at].segments = append(each[at].segments, s)
		}
	}
	return slices.DeleteFunc(each, func(in input) bool { return len(in.segments) > long })
}

// told reads the segments of a story.
func told(t *testing.T, file string) input {
	t.Helper()
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return input{
		name:     strings.TrimSuffix(filepath.Base(file), ".txt"),
		segments: segments(t, string(ar.Files[0].Data)),
		sameHost: strings.Contains(string(ar.Comment), "same-host"),
	}
}

// thinned is a capture with fewer packets.
type thinned struct {
	how      string
	segments []event.Segment
}

// thin makes thinner captures of segments in every way that happens to people.
func thin(segments []event.Segment, seed uint32) []thinned {
	var out []thinned
	n := len(segments)
	for i := 1; i < n; i++ {
		out = append(out, thinned{"cut", segments[:i]}, thinned{"begun later", segments[i:]})
	}
	keep := func(how string, ok func(*event.Segment) bool) {
		var some []event.Segment
		for i := range segments {
			if ok(&segments[i]) {
				some = append(some, segments[i])
			}
		}
		if len(some) > 0 {
			out = append(out, thinned{how, some})
		}
	}
	for _, dir := range []int{-1, 1} {
		keep("one direction", func(s *event.Segment) bool {
			if d := s.Src.Compare(s.Dst); d != 0 {
				return d == dir
			}
			return true
		})
	}
	keep("only SYN, FIN, RST", func(s *event.Segment) bool { return s.Flags&(event.SYN|event.FIN|event.RST) != 0 })
	for i := range segments {
		keep("without one", func(s *event.Segment) bool { return s != &segments[i] })
	}
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	for _, share := range []float64{0.05, 0.2, 0.5} {
		for range 3 {
			keep("loss", func(*event.Segment) bool { return r.Float64() >= share })
		}
	}
	cut := slices.Clone(segments)
	for i := range cut {
		cut[i].Has &^= event.HasTimestamps | event.HasSACK | event.HasWScale
		cut[i].Has |= event.Truncated | event.OptionsTruncated
	}
	out = append(out, thinned{"short snap length", cut})
	return out
}

// anySet is how a capture is thinned of which each set of packets is tried.
const anySet = "any set"

// longest is how many packets an input of undecided may have: sets of them are tried until one shows why it is there.
const longest = 15

// subsets yields every set of the segments of in, where they are few, or where in is one of undecided.
func subsets(in input) iter.Seq[thinned] {
	return func(yield func(thinned) bool) {
		most := *sets
		if undecided[in.name].why != "" {
			most = longest
		}
		if len(in.segments) > most {
			return
		}
		for set := 1; set < 1<<len(in.segments); set++ {
			var some []event.Segment
			for i := range in.segments {
				if set&(1<<i) != 0 {
					some = append(some, in.segments[i])
				}
			}
			if !yield(thinned{anySet, some}) {
				return
			}
		}
	}
}

// thinnings yields the thinner captures of in.
func thinnings(in input) iter.Seq[thinned] {
	return func(yield func(thinned) bool) {
		for _, th := range thin(in.segments, crc32.ChecksumIEEE([]byte(in.name))+uint32(*seed)) {
			if !yield(th) {
				return
			}
		}
		subsets(in)(yield)
	}
}

// knownUntrue are the wrong closers of generated captures; it may only become less.
const knownUntrue = 0

// tally counts what came of thinner captures.
type tally struct {
	checked       int
	bad, withheld map[string]int // by how the capture was thinned
	complete      map[string]int // by input, as are the next
	wrong         map[string]int
	accepted      map[string]int // of undecided
}

// TestThin holds the claims of thinner captures against those of the whole one.
func TestThin(t *testing.T) {
	n := tally{bad: map[string]int{}, withheld: map[string]int{}, complete: map[string]int{}, wrong: map[string]int{}, accepted: map[string]int{}}
	for _, in := range inputs(t) {
		if in.name == *show {
			for j := range in.segments {
				fmt.Fprintln(os.Stderr, &in.segments[j])
			}
		}
		whole := follow(in.segments, in.sameHost)
		n.withheldOf(in, whole)
		for th := range thinnings(in) {
			if th.how == anySet && len(in.segments) > *sets && n.accepted[in.name] > 0 {
				break
			}
			for _, part := range follow(th.segments, in.sameHost) {
				if part.Confidence == analyze.Unknown {
					n.withheld[th.how+", ending"]++
				}
				if part.Closer == "" {
					n.withheld[th.how+", closer"]++
				}
				against(part, whole, func(k claim, v verdict, want string) {
					n.claim(in, th, part, k, v, want)
				})
			}
		}
		if u := undecided[in.name]; u.why != "" && n.accepted[in.name] == 0 {
			t.Errorf("%s: no thinner capture claims %s otherwise, though %s", in.name, u.claims, u.why)
		}
	}
	n.report(t)
}

// withheldOf counts what is not known of a whole capture.
func (n *tally) withheldOf(in input, whole []*analyze.Connection) {
	for _, c := range whole {
		for _, k := range claimsOf(c) {
			if !k.sure {
				n.withheld["whole"]++
			}
		}
		if c.Closer == "" {
			n.withheld["whole, closer"]++
		}
		if c.Ending == analyze.UnknownEnding {
			n.withheld["whole, ending"]++
			if *every {
				fmt.Fprintf(os.Stderr, "%s: %v\n", in.name, c.Why)
			}
		}
	}
}

// claim counts a claim of part, and what came of holding it against the whole capture, which says want.
func (n *tally) claim(in input, th thinned, part *analyze.Connection, k claim, v verdict, want string) {
	n.checked++
	about := strings.Fields(k.what)[0]
	switch {
	case v == holds:
		return
	case part.Whole: // what is complete by its own numbers is not in doubt, though it lacks a packet that was sent again
		n.complete[in.name]++
		return
	case v == contradicts && slices.Contains(strings.Fields(undecided[in.name].claims), about):
		n.accepted[in.name]++
		return
	}
	n.wrong[in.name]++
	kind := th.how + ": " + about
	switch {
	case v == besideUnknown:
		kind += " beside unknown"
	case want == "nothing of it", want == string(analyze.UnknownEnding), slices.Contains(untilEnd, analyze.Ending(want)):
		kind += ", where the whole says nothing"
	}
	n.bad[kind]++
	if *every {
		fmt.Fprintf(os.Stderr, "%s, %s, %v > %v, frames %v: %s %s, whole: %s\n",
			in.name, th.how, part.Client, part.Server, framesOf(th.segments), k.what, k.value, want)
	}
}

func (n *tally) report(t *testing.T) {
	t.Helper()
	t.Logf("%d claims held against the whole captures", n.checked)
	for _, kind := range slices.Sorted(maps.Keys(n.withheld)) {
		t.Logf("withheld %s: %d", kind, n.withheld[kind])
	}
	for _, name := range slices.Sorted(maps.Keys(n.complete)) {
		t.Logf("complete by its own numbers: %d of %s", n.complete[name], name)
	}
	for _, kind := range slices.SortedFunc(maps.Keys(n.bad), func(a, b string) int { return cmp.Compare(n.bad[b], n.bad[a]) }) {
		t.Logf("%s: %d", kind, n.bad[kind])
	}
	for _, name := range slices.Sorted(maps.Keys(n.wrong)) {
		t.Errorf("%s: %d claims contradict the whole capture", name, n.wrong[name])
	}
}

// TestTruth holds the claims of whole generated captures against what really happened.
func TestTruth(t *testing.T) {
	closers, untrue := 0, 0
	for seed := range uint64(*each * len(plots) * 30) {
		name, segments, want := play(seed, []float64{0, 0.02, 0.1}[seed%3])
		if name == *show {
			for i := range segments {
				fmt.Fprintln(os.Stderr, &segments[i])
			}
		}
		conns := follow(segments, false)
		if len(conns) != 1 {
			t.Errorf("%s: %d connections, want 1", name, len(conns))
			continue
		}
		c := conns[0]
		if c.Closer != "" {
			closers++
			if string(c.Closer) != want.closer && string(c.Closer) != want.crossing && c.Ending != analyze.WasRefused {
				untrue++
				t.Logf("%s: closer %s (%s, %s), want %q", name, c.Closer, c.Ending, c.Confidence, want.closer)
			}
		}
	}
	if closers == 0 || untrue > knownUntrue {
		t.Errorf("%d of %d closers are wrong, want at most %d", untrue, closers, knownUntrue)
	}
}

// segments reads what of a story's events came over the wire.
func segments(t *testing.T, events string) []event.Segment {
	var wire strings.Builder
	for line := range strings.Lines(events) {
		if words := strings.Fields(line); len(words) > 1 && !strings.Contains(words[1], "-") {
			wire.WriteString(line)
		}
	}
	return story.Parse(t, wire.String())
}
