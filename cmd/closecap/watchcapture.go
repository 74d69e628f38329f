package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/live"
)

const (
	// watchSnapLen, in bytes, keeps all headers, also those within a tunnel, and wordsSnapLen what an Ethernet frame
	// may hold besides.
	watchSnapLen = 256
	wordsSnapLen = 2048
	watchBuffer  = 32 << 20 // bytes
	wordsBuffer  = 64 << 20
)

// checkCapture reads the flags of watch -i.
func (f *watchFlags) checkCapture() error {
	for flag, given := range map[string]bool{
		"pid": len(f.pids) > 0, "comm": f.comm != "", "cgroup": f.cgroup != "",
		"container": f.container != "", "netns": f.netns != "all",
	} {
		if given {
			return misused("--%s and -i: packets name no process and no namespace", flag)
		}
	}
	if f.save != "" {
		return misused("--save and -i: save the packets with tcpdump -w, and analyze that file")
	}
	if f.filter != "" {
		_, err := packetFilter(f.filter)
		return err
	}
	return nil
}

// capture watches by packets.
func (f *watchFlags) capture(ctx context.Context, w *watching) error {
	opt := live.Options{Interface: f.iface, Filter: f.filter, SnapLen: wordsSnapLen, Buffer: wordsBuffer}
	if f.noPayload {
		opt.SnapLen, opt.Buffer = watchSnapLen, watchBuffer
	}
	if f.pick.Port != 0 {
		opt.Ports = []uint16{f.pick.Port}
	}
	capture, err := live.Open(opt)
	if err != nil {
		return err
	}
	if err := kernel.DropCapabilities(); err != nil {
		_, stopErr := capture.Stop()
		return errors.Join(err, stopErr)
	}
	fmt.Fprintln(w.std.err, "closecap: by packets alone: they name no process and no call, and why an RST was sent is inferred")
	return w.writeTo(f.outFile, func() error { return w.captured(ctx, capture) })
}

// captured shows connections until ctx is done or there were enough, and then adds them up.
func (w *watching) captured(ctx context.Context, capture *live.Capture) error {
	begin := time.Now()
	watched, stop := w.flags.limit(ctx)
	defer stop()
	source := capture.Source(watched)
	failed := w.heading()
	show := func(cs ...*endings.Connection) {
		w.sayLosses(packetLosses(source.Dropped()))
		if failed == nil {
			failed = w.show(cs, present())
		}
		if failed != nil || w.enough() {
			stop()
		}
	}
	a := closecap.New(source, closecap.Options{Now: present, Stalled: func() { show() }, Words: !w.flags.noPayload})
	// When ctx ends the source does, in order: what was captured until then is read and shown.
	for c, err := range a.Connections(context.WithoutCancel(ctx)) {
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
		case watched.Err() == nil || hasEnded(c):
			show(fromPackets(c))
		}
	}
	w.sayLosses(packetLosses(source.Dropped()))
	return errors.Join(failed, w.finish(time.Since(begin)))
}

func packetLosses(n uint64) losses { return losses{"packets", n, map[string]uint64{"capture": n}} }

// hasEnded reports whether c has, of those that are left when the watching ends.
func hasEnded(c *analyze.Connection) bool {
	switch c.Ending {
	case analyze.Graceful, analyze.WasReset, analyze.WasRefused:
		return true
	}
	return c.Reset != nil
}

// fromPackets makes a connection one of those that watch shows. Refused ones may come as a flood.
func fromPackets(c *analyze.Connection) *endings.Connection {
	return &endings.Connection{Connection: *c, Stray: c.Ending == analyze.WasRefused}
}
