package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/report"
)

// show analyzes what is read and shows it. readErr tells what was wrong with the input: what came
// before it, if anything, has been shown. writeErr tells that showing failed, which ends the reading.
func (f *analyzeFlags) show(ctx context.Context, in *reading, opt closecap.Options, format report.Format, std streams) (readErr, writeErr error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	to, end := f.screen(std)
	defer func() { writeErr = errors.Join(writeErr, writeFailed(end())) }()
	out := bufio.NewWriterSize(to, 256<<10)
	stream := report.NewStream(out, format, f.reportOptions(std))
	show := &shower{out: out, stream: stream, page: newPage(f.html, f.again), pick: &f.pick, order: f.sort, identify: f.ids}
	if show.inPassing() {
		growFor(in.size)
	}
	opt.Transient = show.keepsNone
	opt.Stalled = func() {
		if show.flush(); show.err != nil {
			cancel()
		}
	}
	a := in.analysis(opt)
	var wrong troubles
	for c, err := range a.Connections(ctx) {
		if err != nil {
			wrong.add(err)
			continue
		}
		if show.connection(c); show.err != nil {
			return nil, show.err
		}
	}
	readErr = wrong.err()
	res := a.Result()
	switch {
	case show.err != nil:
		return readErr, show.err
	case res == nil, readErr != nil && res.Capture.Packets == 0:
		return readErr, nil
	}
	res.Calls, res.Connections = show.pick.Calls(res), nil
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

// screen is where the report goes: through a pager where it is no stream of packets that goes on.
func (f *analyzeFlags) screen(std streams) (w io.Writer, end func() error) {
	if !f.paging {
		return std.out, func() error { return nil }
	}
	return paged(std)
}

func (f *analyzeFlags) reportOptions(std streams) report.Options {
	opt := f.options(std)
	opt.Summary, opt.Brief, opt.Filtered, opt.TimeWait, opt.Again = f.summary, f.brief, f.filter != "", f.timeWait, f.again
	return opt
}

// shower hands the connections that were picked to the report: as they come, or in order
// when one is asked for.
type shower struct {
	out      *bufio.Writer
	stream   *report.Stream
	page     *page
	pick     *analyze.Selection
	order    string
	identify bool // each connection by the names that other tools give it
	kept     []*analyze.Connection
	err      error
}

// inPassing reports whether connections go to the report as they come, and nowhere else.
func (s *shower) inPassing() bool { return s.order == "" && s.page.stream == nil }

// keepsNone reports whether each connection is done with as soon as it was shown.
func (s *shower) keepsNone() bool { return s.inPassing() && s.stream.KeepsNone() }

func (s *shower) connection(c *analyze.Connection) {
	if s.err != nil {
		return
	}
	if !s.pick.Match(c) {
		s.stream.Skip()
		return
	}
	if s.identify {
		analyze.Identify(c)
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
