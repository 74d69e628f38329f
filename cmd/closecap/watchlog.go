package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"

	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/bpf"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/pcapfile"
)

// watchLog saves all that a watching is told, and when it judged, so that analyze can judge it
// again. nil saves nothing.
type watchLog struct {
	out   *pcapfile.Writer
	asked bool  // since the last judging
	err   error // of the first entry that could not be written
}

// saveWhile saves what watch is told in a file of that name, "" for none. The file is made before
// anything is watched, and is whole once it has its name.
func (w *watching) saveWhile(path string, watch func() error) error {
	if path == "" {
		return watch()
	}
	var watched error
	err := replace(path, func(f io.Writer) error {
		run := &event.Run{Tool: "closecap " + version, Source: "kernel", Kernel: kernel.Release(), Netns: "host"}
		out, err := pcapfile.NewWriter(f, run, pcapfile.Interface{})
		if err != nil {
			return err
		}
		w.log = &watchLog{out: out}
		watched = watch()
		if w.log.err != nil {
			return w.log.err
		}
		run.Warnings = w.source.Lacks()
		return out.Close(run, nil, fmt.Sprintf("%d connections ended", w.shown))
	})
	return errors.Join(watched, ownFile("save recording", err))
}

// writeTo lets watch write to a file of that name, "" for where it writes anyhow. The file is made before anything
// is watched, and is whole once it has its name.
func (w *watching) writeTo(path string, watch func() error) error {
	if path == "" {
		return watch()
	}
	var watched error
	err := replace(path, func(f io.Writer) error {
		w.std.out = f
		watched = watch()
		return nil
	})
	return errors.Join(watched, ownFile("write output", err))
}

// ownFile says whose file it must be where that is the matter.
func ownFile(verb string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", verb, err)
	if errors.Is(err, os.ErrPermission) && os.Geteuid() == 0 {
		err = hint.With(err, "watch gives up root's rights over the files of others before it opens one: choose a directory of root's")
	}
	return err
}

func (l *watchLog) write(e event.KernelEntry) {
	if l != nil && l.err == nil {
		l.err = l.out.Kernel(&e)
	}
}

func (l *watchLog) failed() bool { return l != nil && l.err != nil }

// begin notes what no event tells.
func (l *watchLog) begin(now event.Time, own map[netip.Addr]bool, ports int, lacks []string, names bool) {
	l.write(event.KernelEntry{Begin: &event.KernelWatch{
		Time: now, Own: slices.SortedFunc(maps.Keys(own), netip.Addr.Compare), Ports: ports, Lacks: lacks, Names: names,
	}})
}

// taking returns a func that hands events to add and notes them.
func (l *watchLog) taking(add func(event.KernelEvent)) func(event.KernelEvent) {
	if l == nil {
		return add
	}
	return func(k event.KernelEvent) {
		add(k)
		l.write(event.KernelEntry{KernelEvent: k})
	}
}

// asking returns what asks the kernel as ask does and notes its answers.
func (l *watchLog) asking(ask func(uint32, netip.AddrPort, netip.AddrPort) event.TCPState) func(uint32, netip.AddrPort, netip.AddrPort) event.TCPState {
	if l == nil || ask == nil {
		return ask
	}
	return func(netns uint32, local, remote netip.AddrPort) event.TCPState {
		l.asked = true
		s := ask(netns, local, remote)
		l.write(event.KernelEntry{Answer: &event.KernelAnswer{Netns: netns, Local: local, Remote: remote, State: s}})
		return s
	}
}

// judged notes a judging that made a difference, or asked the kernel.
func (l *watchLog) judged(cs []*endings.Connection, now event.Time, end bool) {
	if l != nil && (len(cs) > 0 || l.asked || end) {
		l.asked = false
		l.write(event.KernelEntry{Told: &event.KernelTold{Time: now, End: end}})
	}
}

func (l *watchLog) lost(losses bpf.Losses) { l.write(event.KernelEntry{Lost: &losses}) }
