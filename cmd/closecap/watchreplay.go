package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/bpf"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/pcapfile"
)

// watched returns how the watching began of which r is a recording; nil for what is none, or for no r.
func watched(ctx context.Context, r *pcapfile.Reader) *event.KernelWatch {
	if r == nil {
		return nil
	}
	rec, err := r.First(ctx)
	if err != nil || rec.Kernel == nil {
		return nil
	}
	return rec.Kernel.Begin
}

// watchAgain shows a recording of closecap watch as that showed it, connections that f picks. readErr and
// writeErr are those of show.
func (f *analyzeFlags) watchAgain(ctx context.Context, r *pcapfile.Reader, begin *event.KernelWatch, format report.Format, std streams) (readErr, writeErr error) {
	if err := f.watchable(format); err != nil {
		return err, nil
	}
	w := newWatching(&watchFlags{pick: f.pick, format: string(format), summary: f.summary}, std)
	w.summary.Ports = begin.Ports
	w.sayLacks(begin.Lacks)
	if err := w.heading(); err != nil {
		return nil, err
	}
	last := begin.Time
	readErr = replay(ctx, r, begin, w.sayKernelLosses, func(over []*endings.Connection, now event.Time) bool {
		last = now
		writeErr = w.show(over, now)
		return writeErr == nil
	})
	if writeErr != nil {
		return readErr, writeErr
	}
	return readErr, w.finish(last.Sub(begin.Time))
}

// replay hands out what the watching judged of which r is a recording, with the time of each judging, until
// judged returns false. lost is told what the watching lost, each time anew.
func replay(ctx context.Context, r *pcapfile.Reader, begin *event.KernelWatch, lost func(bpf.Losses),
	judged func(over []*endings.Connection, now event.Time) bool) (readErr error) {
	again := endings.NewReplay(begin)
	last := begin.Time
	first := true
records:
	for rec, err := range r.Records(ctx) {
		switch {
		case err != nil:
			readErr = errors.Join(readErr, err)
			continue
		case rec != nil && (!rec.Journal || rec.Call != nil):
			err := errors.New("read recording: packets or calls in a recording of closecap watch, which has none")
			readErr = errors.Join(readErr, hint.With(err, "analyze what they are of by itself"))
			break records
		case rec == nil || first || rec.Kernel == nil:
			first = first && rec == nil
			continue
		}
		last = max(last, rec.Kernel.When())
		if rec.Kernel.Lost != nil {
			lost(*rec.Kernel.Lost)
		}
		over, err := again.Add(rec.Kernel)
		if err != nil {
			readErr = errors.Join(readErr, fmt.Errorf("read recording: %w", err))
			break
		}
		if !judged(over, last) {
			return readErr
		}
	}
	judged(again.Rest(), last)
	return readErr
}

// watchable refuses what a recording without packets can't give.
func (f *analyzeFlags) watchable(format report.Format) error {
	switch {
	case format != report.Table && format != report.NDJSON && format != report.CSV:
		return misused("--format %s: a recording of closecap watch holds no packets: want table, ndjson or csv", format)
	case f.html != "" || f.sort != "" || f.filter != "" || len(f.calls) > 0:
		return misused("--html, --sort, --filter and --calls: a recording of closecap watch holds no packets")
	}
	return nil
}
