package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows"
	"github.com/closecap/closecap/analyze/join"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/decode"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
)

// analysis reads one timeline and shows what it holds.
type analysis struct {
	flags  *analyzeFlags
	source string
	small  bool // every segment is kept
	counts intake.Counts
}

// read drains r. readErr tells what was wrong with the input: what came before it, if
// anything, has been shown. writeErr tells that showing failed, which ends the reading.
func (a *analysis) read(ctx context.Context, r *pcapfile.Reader, format report.Format, std streams) (readErr, writeErr error) {
	out := bufio.NewWriterSize(std.out, 256<<10)
	stream := report.NewStream(out, format, a.options(std))
	show := &shower{out: out, stream: stream, page: newPage(a.flags.html), pick: &a.flags.pick, order: a.flags.sort}
	next, stop := iter.Pull2(intake.Batches(ctx, r))
	defer stop()
	in := &timeline{reader: r, next: next}
	first := in.batch()
	var res *analyze.Result
	var err error
	if len(a.flags.calls) > 0 || first != nil && len(first.Calls) > 0 {
		res, err = a.join(in, first, show)
	} else {
		res = a.stream(in, first, show, show.keepsNone(format))
	}
	readErr = errors.Join(append(in.errs, err)...)
	switch {
	case err != nil:
		return readErr, nil
	case show.err != nil:
		return readErr, show.err
	case readErr != nil && a.counts.Packets == 0:
		return readErr, nil
	}
	if w := in.clock.warning(); w != "" {
		res.Warnings = append(res.Warnings, w)
	}
	if err := show.finish(res); err != nil {
		return readErr, err
	}
	if format.ConnectionsOnly() {
		for _, w := range report.Warnings(res) {
			fmt.Fprintf(std.err, "closecap: warning: %s\n", report.Safe(w))
		}
	}
	return readErr, writeFailed(out.Flush())
}

// join gathers a timeline that has calls whole, and shows what they and the packets tell
// together.
func (a *analysis) join(in *timeline, first *intake.Batch, show *shower) (*analyze.Result, error) {
	rec := &event.Recording{}
	for b := first; b != nil; b = in.batch() {
		a.counts = b.Counts
		collect(rec, b, in.reader)
	}
	if err := a.addCalls(rec, in.reader); err != nil {
		return nil, err
	}
	if rec.Run.Source == "" { // a recording whose end, where that stands, is missing
		rec.Run.Tool, rec.Run.Source, rec.Run.LinkType = "closecap "+version, a.source, linkTypes(in.reader)
	}
	res := join.Join(rec, a.follow())
	res.Capture.Packets = a.counts.Packets
	a.unread(res)
	for _, c := range res.Connections {
		show.connection(c)
	}
	res.Calls = show.pick.Calls(res)
	res.Connections = nil
	return res, nil
}

// stream shows each connection as soon as it is over. keepsNone tells that it is not needed
// after that.
func (a *analysis) stream(in *timeline, first *intake.Batch, show *shower, keepsNone bool) *analyze.Result {
	follower := flows.NewFollower(a.follow(), nil)
	judge := new(flows.Judge)
	if keepsNone {
		judge = flows.NewJudge()
	}
	judges := startJudging(follower, judge, show)
	defer judges.wait()
	for b := first; b != nil && !judges.failed(); b = in.batch() {
		a.counts = b.Counts
		follower.Segments(b.Segments)
		if b.Stalled {
			judges.flush()
		}
	}
	if judges.failed() {
		return nil
	}
	follower.Finish()
	return a.result(in.reader, follower)
}

// timeline hands out the batches of a timeline and keeps what was wrong with it.
type timeline struct {
	reader *pcapfile.Reader
	next   func() (*intake.Batch, error, bool)
	errs   []error
	clock  clock
}

// batch returns the next batch, nil at the end. It is good until the next call.
func (in *timeline) batch() *intake.Batch {
	for {
		b, err, ok := in.next()
		if !ok {
			return nil
		}
		if err == nil {
			in.clock.see(b.Segments)
			return b
		}
		in.errs = append(in.errs, err)
	}
}

func (a *analysis) options(std streams) report.Options {
	opt := a.flags.options(std.out)
	opt.Summary, opt.Filtered = a.flags.summary, a.flags.filter != ""
	return opt
}

func (a *analysis) follow() analyze.Options {
	return analyze.Options{
		TimeWait:       a.flags.timeWait,
		MaxConnections: a.flags.maxConnections,
		AllSegments:    a.small || a.flags.pick.ID != 0,
	}
}

// collect adds a batch to a recording.
func collect(rec *event.Recording, b *intake.Batch, r *pcapfile.Reader) {
	rec.Segments = append(grown(rec.Segments, len(b.Segments), r), b.Segments...)
	rec.Calls = append(grown(rec.Calls, len(b.Calls), r), b.Calls...)
	if b.Run != nil {
		rec.Run, rec.Expectations = *b.Run, b.Expectations
	}
}

// grown returns list with room for n more, and where it has none for as many as the rest of the
// files will bring if they go on like this: to grow step by step would copy each several times.
func grown[T any](list []T, n int, r *pcapfile.Reader) []T {
	if len(list)+n <= cap(list) {
		return list
	}
	const most = 4 // times what there is
	more := len(list) + n
	if read, total := r.Progress(); read > 0 && total > read {
		more = int(float64(more) * min(most, 1.05*float64(total-read)/float64(read)))
	}
	return slices.Grow(list, max(n, more))
}

// result describes a capture without calls; its connections have been handed out.
func (a *analysis) result(r *pcapfile.Reader, f *flows.Follower) *analyze.Result {
	st := f.Stats()
	res := &analyze.Result{
		Schema: analyze.Schema,
		Tool:   "closecap " + version,
		Capture: analyze.Capture{
			Source:    a.source,
			LinkType:  linkTypes(r),
			Packets:   a.counts.Packets,
			Segments:  a.counts.Segments,
			Dropped:   r.Dropped(),
			Truncated: a.counts.Cut > 0,
			Evicted:   st.Evicted,
			First:     a.counts.First,
			Last:      a.counts.Last,
		},
		Warnings: []string{},
	}
	a.unread(res)
	if res.Capture.Dropped > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("the capture lost %s: verdicts may miss what was in there", analyze.Count(res.Capture.Dropped, "packet")))
	}
	return res
}

// unread adds to res what the packets were that no segment came of, though they should be one.
func (a *analysis) unread(res *analyze.Result) {
	for reason, n := range a.counts.Unparsed {
		res.Capture.Unparsed += n
		if n > 0 {
			res.Warnings = append(res.Warnings, fmt.Sprintf("%s could not be read: %s", analyze.Count(n, "packet"), decode.Reason(reason)))
		}
	}
}

// linkTypes names the link types of the interfaces that were read.
func linkTypes(r *pcapfile.Reader) string {
	var names []string
	for _, i := range r.Interfaces() {
		if name := decode.LinkName(i.LinkType); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// shower hands the connections that were picked to the report: as they come, or in order
// when one is asked for.
type shower struct {
	out    *bufio.Writer
	stream *report.Stream
	page   *page
	pick   *analyze.Selection
	order  string
	kept   []*analyze.Connection
	err    error
}

// keepsNone reports whether each connection is done with as soon as it was shown.
func (s *shower) keepsNone(format report.Format) bool {
	return s.order == "" && s.page.stream == nil && format.ConnectionsOnly()
}

func (s *shower) connection(c *analyze.Connection) {
	if s.err != nil {
		return
	}
	if !s.pick.Match(c) {
		s.stream.Skip()
		return
	}
	if s.order != "" {
		s.kept = append(s.kept, c)
		return
	}
	s.err = s.put(c)
}

// flush writes what was shown and is still buffered.
func (s *shower) flush() {
	if s.err == nil {
		s.err = writeFailed(s.out.Flush())
	}
}

func (s *shower) put(c *analyze.Connection) error {
	if err := s.page.connection(c); err != nil {
		return err
	}
	return s.stream.Connection(c)
}

func (s *shower) finish(res *analyze.Result) error {
	if order, ok := analyze.OrderBy(s.order); ok {
		slices.SortStableFunc(s.kept, order)
		for _, c := range s.kept {
			if err := s.put(c); err != nil {
				return err
			}
		}
	}
	return errors.Join(s.stream.Finish(res), s.page.finish(res))
}
