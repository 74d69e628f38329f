package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
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
// auto it opens nothing where that is not allowed, and with bpf says to w what this kernel can't tell. It is called once:
// in a private namespace the word comes from outside.
func endingsBy(evidence string, w io.Writer) func(bpf.Options) (bpf.Source, error) {
	if evidence != byAuto && evidence != byKernel {
		return nil
	}
	open := openHere
	if kernel.InPrivate() { // no user namespace may load programs
		if told := openAside(); told != nil {
			open = told
		} else if evidence == byAuto {
			return nil
		}
	}
	return func(opt bpf.Options) (bpf.Source, error) {
		source, err := open(opt)
		switch {
		case evidence == byAuto && err != nil:
			return nil, nil
		case err != nil:
			return nil, err
		case evidence == byKernel:
			for _, lack := range source.Lacks() {
				fmt.Fprintf(w, "closecap: %s\n", report.Safe(lack))
			}
		}
		return source, nil
	}
}

// openHere asks this machine's kernel.
func openHere(opt bpf.Options) (bpf.Source, error) {
	var source bpf.Source
	err := kernel.WithBPF(func() (err error) {
		source, err = bpf.Open(opt)
		return err
	})
	if err != nil {
		return nil, err
	}
	return source, nil
}

// openAside returns what hears the process that made this private namespace; nil where that tells nothing.
func openAside() func(bpf.Options) (bpf.Source, error) {
	stream := kernel.Aside()
	if stream == nil {
		return nil
	}
	remote, err := bpf.Dial(stream)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return func(bpf.Options) (bpf.Source, error) { // all of this namespace is told
		if err != nil {
			return nil, err
		}
		return remote, remote.Begin()
	}
}

// tellAside returns what tells a process in a private namespace how connections end there; nil where the evidence is
// without it.
func tellAside(evidence string) func(pid int, stream *os.File) (func(), error) {
	if evidence != byAuto && evidence != byKernel {
		return nil
	}
	return func(pid int, stream *os.File) (func(), error) {
		there, err := bpf.Netns(strconv.Itoa(pid))
		if err != nil {
			return nil, err
		}
		source, err := openHere(bpf.Options{Netns: there})
		switch {
		case evidence == byAuto && err != nil:
			return nil, nil
		case err != nil:
			return nil, err
		}
		return func() {
			// That one misses the answer, and says so.
			_ = errors.Join(bpf.Serve(stream, source), source.Close())
		}, nil
	}
}

// openEndings opens the kernel's word on how connections of this network namespace end; nil without an error where
// the evidence is without it.
func openEndings(evidence string, w io.Writer) (bpf.Source, error) {
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

// holdersBy returns what asks source's kernel who holds a socket; nil where that can't be told, or not by the numbers
// that processes have here.
func holdersBy(source bpf.Source) func(socket uint64) []event.Holder {
	s, here := source.(*bpf.Endings)
	if !here || !s.NamesHolders() || kernel.InPIDNamespace() {
		return nil
	}
	return func(socket uint64) []event.Holder {
		all, err := s.Holders()
		if err != nil {
			return nil
		}
		var found []event.Holder
		for _, t := range all[socket] {
			found = append(found, event.Holder{PID: t.PID, FD: t.FD})
		}
		return found
	}
}

// hearing hands on what the kernel tells while a program is traced. nil hears nothing.
type hearing struct {
	source bpf.Source
	to     *session.Session
	done   chan struct{}
	ended  chan error
}

func hear(source bpf.Source, to *session.Session) *hearing {
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
