package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"closecap/analyze"
	"closecap/analyze/event"
	"closecap/analyze/report"
	"closecap/capture/decode"
	"closecap/capture/pcapfile"
)

// analysis reads one timeline and shows what it holds.
type analysis struct {
	flags  *analyzeFlags
	source string
	small  bool // every segment is kept
	counts pcapfile.Counts
}

// read drains r. readErr tells what was wrong with the input: what came before it has been
// shown. writeErr tells that showing failed, which ends the reading.
func (a *analysis) read(ctx context.Context, r *pcapfile.Reader, format report.Format, std streams) (readErr, writeErr error) {
	out := bufio.NewWriterSize(std.out, 256<<10)
	stream := report.NewStream(out, format, a.options(std))
	show := &shower{stream: stream, page: newPage(a.flags.html), pick: &a.flags.pick, order: a.flags.sort}
	follower := analyze.NewFollower(a.follow(), nil)
	if show.keepsNone(format) {
		// What is used again leaves little garbage, so a small heap costs next to nothing.
		defer debug.SetGCPercent(debug.SetGCPercent(40))
	}
	judges := startJudging(follower, analyze.NewJudge(a.follow(), show.keepsNone(format)), show)
	defer judges.wait()

	var rec *event.Recording
	var errs []error
	if len(a.flags.calls) > 0 {
		rec = &event.Recording{}
	}
	first := true
	for b, err := range r.Batches(ctx, decode.New()) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if first && len(b.Calls) > 0 {
			rec = &event.Recording{}
		}
		first = false
		a.counts = b.Counts
		if rec != nil {
			collect(rec, b)
			continue
		}
		follower.Segments(b.Segments)
		if judges.failed() {
			break
		}
	}
	readErr = errors.Join(errs...)
	if judges.failed() {
		judges.wait()
		return readErr, show.err
	}

	var res *analyze.Result
	if rec != nil {
		if err := a.addCalls(rec, r); err != nil {
			return errors.Join(readErr, err), nil
		}
		res = analyze.Join(rec, a.follow())
		res.Capture.Packets = a.counts.Packets
		for _, c := range res.Connections {
			show.connection(c)
		}
		res.Connections = nil
	} else {
		follower.Finish()
		judges.wait()
		res = a.result(r, follower)
	}
	if err := show.finish(res); err != nil {
		return readErr, err
	}
	return readErr, writeFailed(out.Flush())
}

func (a *analysis) options(std streams) report.Options {
	opt := a.flags.options(std.out)
	opt.Summary = a.flags.summary
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
func collect(rec *event.Recording, b *pcapfile.Batch) {
	rec.Segments = append(rec.Segments, b.Segments...)
	rec.Calls = append(rec.Calls, b.Calls...)
	if b.Run != nil {
		rec.Run, rec.Expectations = *b.Run, b.Expectations
	}
}

// result describes a capture without calls; its connections have been handed out.
func (a *analysis) result(r *pcapfile.Reader, f *analyze.Follower) *analyze.Result {
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
	for reason, n := range a.counts.Unparsed {
		res.Capture.Unparsed += n
		if n > 0 {
			res.Warnings = append(res.Warnings, fmt.Sprintf("%d packets could not be read: %s", n, decode.Reason(reason)))
		}
	}
	if res.Capture.Dropped > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("the capture lost %d packets: verdicts may miss what they held", res.Capture.Dropped))
	}
	if st.Evicted > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("%d idle connections were given up for memory's sake (--max-connections)", st.Evicted))
	}
	return res
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
	stream *report.Stream
	page   *page
	pick   *analyze.Selection
	order  string
	kept   []*analyze.Connection
	err    error
}

// keepsNone reports whether each connection is done with as soon as it was shown.
func (s *shower) keepsNone(format report.Format) bool {
	return s.order == "" && s.page.stream == nil && (format == report.NDJSON || format == report.CSV)
}

func (s *shower) connection(c *analyze.Connection) {
	if s.err != nil || !s.pick.Match(c) {
		return
	}
	if s.order != "" {
		s.kept = append(s.kept, c)
		return
	}
	s.err = s.put(c)
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
	return errors.Join(s.err, s.stream.Finish(res), s.page.finish(res))
}
