// Package closecap says how each TCP connection of a capture ended, who ended it, and why.
//
// It is what the commands closecap analyze and closecap watch -i run: a source of packets and calls (capture files,
// package pcapfile; an interface, package live; or any other intake.Source) is decoded, the connections are
// followed in bounded memory, and each is handed out when nothing more can come of it, or of a live source
// (Options.Now) soon after it has ended. Where calls stand
// between the packets, or beside them in logs of strace, all is read first and joined: which
// call caused which packet, and why each call returned.
//
// The words of the answers are package analyze's. A recording that is in memory already is
// joined by join.Join; package report writes what came out as people and programs read it.
package closecap

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows"
	"github.com/closecap/closecap/analyze/join"
	"github.com/closecap/closecap/analyze/words"
	"github.com/closecap/closecap/capture/decode"
	"github.com/closecap/closecap/capture/intake"
)

// Options say how to analyze. The zero value works.
type Options struct {
	analyze.Options

	// StraceLogs are files that strace -f -ttt -T -yy wrote on the machine of the capture, at the
	// same time. Packets that belong to no socket in them are left out.
	StraceLogs []string

	// SkipChecksums leaves checksums unverified, as Zeek does with -C: they count in Zeek's fields only.
	SkipChecksums bool

	// Words adds to each connection the last words of its ends, where their protocol is known and they stand
	// in clear. RawWords adds those in no known protocol, too, as text. Of points there are none.
	Words, RawWords bool
	// Relays ties the two connections of a relay, as far as Words tell: the connections of a capture without calls are
	// held until its end. Of a live source none are tied.
	Relays bool

	// Tool and Source are what the Result names: the program, and where the packets are from. Title is Source in
	// few words, for pages.
	Tool, Source, Title string

	// Transient, when set, is asked from time to time whether connections are kept no longer: once it says
	// so, each of a capture without calls is valid only until the next, whose memory it shares.
	Transient func() bool

	// Joining, when set, is called once when there are calls, before all is read into memory.
	Joining func()

	// Stalled, when set, is called between two connections when the source has nothing more for
	// now.
	Stalled func()

	// Now, when set, tells the time by the clock that stamps the packets, of a source that is live and
	// has no calls. A connection is then handed out a second after it has ended, and not only when
	// nothing more can come of it; one that goes on after all is handed out again, with its ID, when
	// it ends. What has not ended when the source does comes last.
	Now func() event.Time
}

// Analysis is the reading of one timeline, or of what several points saw. It is for one goroutine.
type Analysis struct {
	src    intake.Source
	points []Point // instead of src
	opt    Options
	next   func() (*intake.Batch, error, bool)
	counts intake.Counts
	words  *words.Numbered // nil without Words, and where calls are joined
	ties   bool            // relays
	legs   *words.Legs     // nil where nobody ties them
	errs   []error
	res    *analyze.Result
}

// New returns an Analysis of src, of which nothing is read yet.
func New(src intake.Source, opt Options) *Analysis { return &Analysis{src: src, opt: opt} }

// Connections reads the source and hands out its connections, once: each when nothing more can come
// of it, or, where there are calls, in order at the end. Errors come last, since what was read before
// a file broke, or until ctx ended, is told nevertheless. Leaving the loop ends the reading.
func (a *Analysis) Connections(ctx context.Context) iter.Seq2[*analyze.Connection, error] {
	return func(yield func(*analyze.Connection, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		more := true
		origins := a.origins()
		handOut := func(c *analyze.Connection) bool {
			if origins != nil {
				locate(origins, c)
			}
			if more = more && yield(c, nil); !more {
				cancel()
			}
			return more
		}
		a.read(ctx, handOut)
		if w := earlyWarning(a.counts.Early); w != "" && a.res != nil {
			a.res.Warnings = append(a.res.Warnings, w)
		}
		for _, err := range a.errs {
			more = more && yield(nil, err)
		}
	}
}

// read reads the source and shows the connections, until there is no more or show is false.
func (a *Analysis) read(ctx context.Context, show func(*analyze.Connection) bool) {
	if a.points != nil {
		a.followPoints(ctx, show)
		return
	}
	reading := intake.Options{SkipChecksums: a.skipsChecksums()}
	if a.opt.Words {
		reading.Payload = words.Speech
	}
	next, stop := iter.Pull2(intake.Batches(ctx, a.src, reading))
	defer stop()
	a.next = next
	first := a.batch()
	work := a.follow
	if a.opt.Relays && a.opt.Words {
		work = a.followRelays
	}
	if a.opt.Now != nil {
		work = a.followLive
	}
	if len(a.opt.StraceLogs) > 0 || first != nil && len(first.Calls) > 0 {
		work = a.join
	}
	work(first, show)
}

// skipsChecksums reports whether nothing that is asked for depends on checksums.
func (a *Analysis) skipsChecksums() bool { return a.opt.SkipChecksums || a.opt.SkipCompat }

// Result returns what holds for the whole timeline, with the calls and all connections where there
// were calls, without connections otherwise. It is nil until Connections has come to its end, and
// where a log of strace could not be read.
func (a *Analysis) Result() *analyze.Result {
	if a.res != nil {
		a.res.Capture.Title = a.opt.Title
	}
	return a.res
}

// batch returns the next batch, nil at the end. It is good until the next call.
func (a *Analysis) batch() *intake.Batch {
	for {
		b, err, ok := a.next()
		if !ok {
			return nil
		}
		if err == nil {
			a.counts = b.Counts
			return b
		}
		a.errs = append(a.errs, err)
	}
}

// join gathers a timeline that has calls whole, and shows what they and the packets tell
// together.
func (a *Analysis) join(first *intake.Batch, show func(*analyze.Connection) bool) {
	if a.opt.Joining != nil {
		a.opt.Joining()
	}
	rec := &event.Recording{}
	said, runs, over := words.NewKeeper(), 0, 0
	legs := said.Ties()
	for b := first; b != nil; b = a.batch() {
		rec.Segments = append(grown(rec.Segments, len(b.Segments), a.src), b.Segments...)
		if a.opt.Words {
			hear(said, b)
		}
		rec.AddCalls(b.Calls...)
		over += keepKernel(rec, b.Kernel)
		if b.Run != nil {
			rec.Run, rec.Expectations = *b.Run, b.Expectations
			runs += b.Runs
		}
	}
	if runs > 1 { // an expect line speaks of its own run's calls and connections, by number
		rec.Run.Scenario, rec.Run.Remember, rec.Run.Explains, rec.Expectations = "", nil, "", nil
		rec.Run.Warnings = append(rec.Run.Warnings, fmt.Sprintf("%d recordings as one: what expect lines of their scripts say is not checked", runs))
		if n := rec.DropRepeated(); n > 0 {
			rec.Run.Warnings = append(rec.Run.Warnings, fmt.Sprintf("%s recorded twice, counted once", analyze.Count(uint64(n), "call")))
		}
	}
	if over > 0 {
		rec.Run.Warnings = append(rec.Run.Warnings, fmt.Sprintf("%s beyond %d left out", analyze.Count(uint64(over), "kernel event"), event.MaxKernel))
	}
	if err := a.addCalls(rec); err != nil {
		a.errs = append(a.errs, err)
		return
	}
	switch {
	case rec.Run.Source == "": // a recording whose end, where that stands, is missing
		rec.Run.Tool, rec.Run.Source, rec.Run.LinkType = a.opt.Tool, a.opt.Source, a.linkTypes()
	case runs > 1:
		rec.Run.Source = a.opt.Source
	}
	res := join.Join(rec, a.opt.Options)
	res.Capture.Packets = a.counts.Packets
	a.unread(res, uint64(len(res.Connections)))
	a.res = res
	if a.opt.Words {
		tell(said, legs, res, a.opt.RawWords)
	}
	for _, c := range res.Connections {
		if !show(c) {
			return
		}
	}
}

// keepKernel adds events to rec as long as there is room, and returns how many had none.
func keepKernel(rec *event.Recording, events []event.KernelEvent) int {
	n := min(len(events), event.MaxKernel-len(rec.Kernel))
	rec.Kernel = append(rec.Kernel, events[:n]...)
	return len(events) - n
}

// grown returns list with room for n more, and where it has none for as many as the rest of the
// files will bring if they go on like this: to grow step by step would copy each several times.
func grown(list []event.Segment, n int, src intake.Source) []event.Segment {
	if len(list)+n <= cap(list) {
		return list
	}
	const most = 128 // times what there is
	more := len(list) + n
	if files, ok := src.(interface{ Progress() (read, total int64) }); ok {
		if read, total := files.Progress(); read > 0 && total > read {
			more = int(float64(more) * min(most, 1.15*float64(total-read)/float64(read)))
		}
	}
	return slices.Grow(list, max(n, more))
}

// result describes a capture without calls; its connections have been handed out.
func (a *Analysis) result(st flows.Stats, connections uint64) *analyze.Result {
	res := &analyze.Result{
		Schema: analyze.Schema,
		Tool:   a.opt.Tool,
		Capture: analyze.Capture{
			Source:    a.opt.Source,
			LinkType:  a.linkTypes(),
			Packets:   a.counts.Packets,
			Segments:  a.counts.Segments,
			Dropped:   a.dropped(),
			Truncated: a.counts.Cut > 0,
			Evicted:   st.Evicted,
			Hurried:   st.Hurried,
			First:     a.counts.First,
			Last:      a.counts.Last,
		},
		Warnings: []string{},
	}
	a.unread(res, connections)
	return res
}

// unread adds to res what the packets were that no segment came of.
func (a *Analysis) unread(res *analyze.Result, connections uint64) {
	for reason, n := range a.counts.Unparsed {
		res.Capture.Unparsed += n
		if n > 0 {
			res.Warnings = append(res.Warnings, fmt.Sprintf("%s could not be read: %s", analyze.Count(n, "packet"), decode.Reason(reason)))
		}
	}
	if n := a.counts.Watched; n > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("%s of closecap watch left out: analyze that recording by itself", analyze.Count(n, "event")))
	}
	if w := othersWarning(&a.counts.Others, connections); w != "" {
		res.Warnings = append(res.Warnings, w)
	}
}

// sources are what is read.
func (a *Analysis) sources() (all []intake.Source) {
	if a.points == nil {
		return append(all, a.src)
	}
	for _, p := range a.points {
		all = append(all, p.Source)
	}
	return all
}

// dropped returns how many packets the captures say they lost.
func (a *Analysis) dropped() (n uint64) {
	for _, src := range a.sources() {
		n += src.Dropped()
	}
	return n
}

// linkTypes names the link types of the interfaces that were read.
func (a *Analysis) linkTypes() string {
	var names []string
	for _, src := range a.sources() {
		for _, t := range src.LinkTypes() {
			if name := decode.LinkName(t); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
