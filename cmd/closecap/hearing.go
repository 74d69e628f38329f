package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/bpf"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/session"
)

// What --evidence may be.
const (
	byAuto   = "auto" // whatever shows all that was asked for
	byKernel = "bpf"
	byPtrace = "ptrace"
	byCalls  = "calls" // of run: those of the scenario, which it makes itself
)

// endingsBy returns what opens the kernel's word on how connections end: nil where the evidence is without it. With
// auto it opens nothing where that is not allowed, and with bpf says to w what this kernel can't tell.
func endingsBy(evidence string, w io.Writer) func(bpf.Options) (*bpf.Endings, error) {
	if evidence != byKernel && (evidence != byAuto || kernel.InPrivate()) { // no user namespace may load programs
		return nil
	}
	return func(opt bpf.Options) (source *bpf.Endings, err error) {
		err = kernel.WithBPF(func() error {
			source, err = bpf.Open(opt)
			return err
		})
		switch {
		case evidence == byAuto && err != nil:
			return nil, nil
		case evidence == byKernel && err == nil:
			for _, lack := range source.Lacks() {
				fmt.Fprintf(w, "closecap: %s\n", report.Safe(lack))
			}
		}
		return source, err
	}
}

// openEndings opens the kernel's word on how connections of this network namespace end; nil without an error where
// the evidence is without it.
func openEndings(evidence string, w io.Writer) (*bpf.Endings, error) {
	open := endingsBy(evidence, w)
	if open == nil {
		return nil, nil
	}
	own, err := bpf.Netns("self")
	if err != nil {
		return nil, err
	}
	return open(bpf.Options{Netns: own})
}

// hearing hands on what the kernel tells while a program is traced. nil hears nothing.
type hearing struct {
	source *bpf.Endings
	to     *session.Session
	done   chan struct{}
	ended  chan error
}

func hear(source *bpf.Endings, to *session.Session) *hearing {
	if source == nil {
		return nil
	}
	h := &hearing{source: source, to: to, done: make(chan struct{}), ended: make(chan error, 1)}
	go func() {
		for {
			select {
			case <-h.done:
				h.ended <- h.poll(0)
				return
			default:
			}
			if err := h.poll(pollTime); err != nil {
				h.ended <- err
				return
			}
		}
	}()
	return h
}

func (h *hearing) poll(d time.Duration) error {
	var told []event.KernelEvent
	err := h.source.Poll(d, func(k event.KernelEvent) { told = append(told, k) })
	h.to.Told(told, present())
	return err
}

// stop waits until all has been handed on that was told before, and returns what is to be said of what was not.
func (h *hearing) stop() (warnings []string, err error) {
	if h == nil {
		return nil, nil
	}
	close(h.done)
	err = <-h.ended
	return bpf.LossWarnings(h.source.Losses()), errors.Join(err, h.source.Close())
}
