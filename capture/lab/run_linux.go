package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/decode"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/lab/script"
	"github.com/closecap/closecap/capture/live"
)

// Run runs the script here: this process must be in the right network namespace already and
// may capture there. Its program must call ActorMain first in main.
//
// It always returns what was recorded, together with the error that ended the run; after it
// no actor lives. ctx ends the run as the deadline does.
func Run(ctx context.Context, s *script.Script, opt Options) (*event.Recording, error) {
	rec := &event.Recording{Run: event.Run{
		Scenario: s.Name, Remember: s.Remember, Explains: s.Explains,
		Source: "lo", Kernel: kernel.Release(), Netns: "host", SameHost: true,
	}}
	if opt.Private {
		rec.Run.Netns = "private"
	}
	if s.NeedsPrivate && !opt.Private {
		return rec, hint.With(fmt.Errorf("run %s: sysctl and drop work in a private network namespace only", s.Name),
			"closecap run --private "+s.Name)
	}
	if opt.Timeout == 0 {
		opt.Timeout = defaultTimeout
	}
	for again := missedTries; ; again-- {
		d := &director{script: s, opt: opt, host: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
		if opt.IPv6 {
			d.host = netip.IPv6Loopback()
		}
		made := &event.Recording{Run: rec.Run}
		err := d.record(ctx, made)
		// On a port that was asked for, the ends of the first try would be recorded with the second.
		if !errors.Is(err, errMissed) || again == 0 || opt.Port != 0 || ctx.Err() != nil {
			return made, err
		}
	}
}

// missedTries is how often a run is begun again that came too late for a state of the kernel.
const missedTries = 5

// deadline returns a context that ends so long from now.
func deadline(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	late := hint.With(tooLate{after}, "--timeout gives it more time")
	return context.WithTimeoutCause(ctx, after, late)
}

// tooLate is the error of a run whose deadline came.
type tooLate struct{ after time.Duration }

func (e tooLate) Error() string { return fmt.Sprintf("the run was ended after %v", e.after) }
func (e tooLate) Unwrap() error { return context.DeadlineExceeded }

// record opens the evidence, runs the script and puts the recording together.
func (d *director) record(ctx context.Context, rec *event.Recording) (err error) {
	if d.base, err = choosePort(d.host, d.script, d.opt); err != nil {
		return err
	}
	if d.diag, err = kernel.OpenDiag(); err != nil {
		return err
	}
	defer d.diag.Close()
	if d.capture, err = live.Open(live.Options{Ports: d.ports(), Buffer: d.buffer()}); err != nil {
		return err
	}
	if err = d.openEndings(); err != nil {
		return err
	}
	if d.endings != nil {
		defer d.endings.Close()
	}
	d.capture.Start(func(p *event.Packet) {
		rec.Packets = append(rec.Packets, *p)
		d.packets.Add(1)
	})
	defer d.endAll()
	before := d.counters()
	if err = d.ready(ctx); err == nil {
		ctx, cancel := deadline(ctx, d.opt.Timeout) // how long the start took does not count
		defer cancel()
		err = d.steps(ctx)
	}
	return errors.Join(err, d.finishCapture(ctx, rec, before), d.restoreSettings())
}

// ready starts the actors and waits until they and the capture are ready.
func (d *director) ready(ctx context.Context) error {
	ctx, cancel := deadline(ctx, max(d.opt.Timeout, defaultTimeout))
	defer cancel()
	if err := errors.Join(kernel.DropPrivileges(), adoptOrphans(), d.startAll(ctx)); err != nil {
		return err
	}
	return d.capture.Barrier(ctx)
}

// settleTime bounds the last barrier, which comes after the deadline too.
const settleTime = 2 * time.Second

// finishCapture ends the capture before the actors end, so that what their end sends is no
// part of the recording.
func (d *director) finishCapture(ctx context.Context, rec *event.Recording, before kernel.Counters) error {
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	err := errors.Join(d.capture.Barrier(settle), d.finishDone())
	if before != nil {
		if after := d.counters(); after != nil {
			rec.Run.Counters = after.Since(before)
		}
	}
	err = errors.Join(err, d.listen())
	stats, stopErr := d.capture.Stop()
	rec.Run.Dropped = stats.Dropped + stats.InterfaceDropped
	d.assemble(rec)
	d.keepTold(rec)
	return errors.Join(err, stopErr)
}

// assemble numbers what was recorded and decodes the packets.
func (d *director) assemble(rec *event.Recording) {
	for i, c := range d.calls {
		c.ID = i + 1
		rec.AddCalls(*c)
	}
	for _, e := range d.expects {
		if e.after != nil {
			e.After = e.after.ID
		}
		rec.Expectations = append(rec.Expectations, e.Expectation)
	}
	slices.SortStableFunc(rec.Packets, func(a, b event.Packet) int { return cmp.Compare(a.Time, b.Time) })
	rec.Number()
	decoder := decode.New()
	for i := range rec.Packets {
		var s event.Segment
		if decoder.Segment(&rec.Packets[i], &s) == decode.TCP {
			rec.Segments = append(rec.Segments, s)
		}
	}
	if len(rec.Packets) > 0 {
		rec.Run.LinkType = decode.LinkName(rec.Packets[0].LinkType)
	}
}

// ports returns every port that the script can use.
func (d *director) ports() []uint16 {
	ports := []uint16{d.base}
	for _, st := range d.script.Steps {
		if p := st.Port.Resolve(d.base); p != d.base {
			ports = append(ports, p)
		}
	}
	return ports
}

// buffer returns how much a capture must hold that cannot be read as fast as the script
// sends: each segment and each ACK takes a slot of 64 KiB. 0 leaves it to the capture.
func (d *director) buffer() int {
	const small, most = 1 << 20, 128 << 20
	sent := 0
	for _, st := range d.script.Steps {
		if st.Op.Verb == "send" {
			sent += st.Op.Size
		}
	}
	if sent < small {
		return 0
	}
	return min(16<<20+2*sent, most)
}

// startAll starts the actors side by side.
func (d *director) startAll(ctx context.Context) error {
	cpu := thisCPU()
	for _, name := range d.script.Actors {
		p, err := startProcess(name)
		if err != nil {
			return err
		}
		p.pin(cpu)
		d.processes = append(d.processes, p)
	}
	for _, p := range d.processes {
		if _, err := p.hello(ctx); err != nil {
			return err
		}
	}
	return nil
}

// endAll kills the actors that still run. Children go before their parents, which reap them.
func (d *director) endAll() {
	for i := len(d.processes) - 1; i >= 0; i-- {
		d.processes[i].end()
	}
}

// Ports that are picked lie below the range that the kernel gives to clients: always the same
// in a fresh private namespace, hardly ever the same on the host.
const (
	privatePort = 5000
	lowestPort  = 20000
	portsTried  = 12000
)

// choosePort returns the server's port: the one asked for if it is free, else one that is,
// with all that the script names beside it, and on which no earlier run's end still goes on.
func choosePort(host netip.Addr, s *script.Script, opt Options) (uint16, error) {
	if opt.Port != 0 {
		return opt.Port, free(host, opt.Port, true)
	}
	lowest, first := uint64(lowestPort), uint64(now())/1000
	if opt.Private {
		lowest, first = privatePort, 0
	}
	for i := range uint64(portsTried) / (script.MaxOffset + 1) {
		base := uint16(lowest + (first+i*(script.MaxOffset+1))%portsTried)
		if allFree(base, s) {
			return base, nil
		}
	}
	return 0, fmt.Errorf("find a free port on %s: none from %d to %d", host, lowest, lowest+portsTried)
}

func allFree(base uint16, s *script.Script) bool {
	for _, st := range s.Steps {
		if !st.Port.Absolute && taken(st.Port.Resolve(base)) {
			return false
		}
	}
	return !taken(base)
}

// taken reports whether the port is in use on either loopback: the capture sees both.
func taken(port uint16) bool {
	for _, host := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
		if errors.Is(free(host, port, false), unix.EADDRINUSE) {
			return true
		}
	}
	return false
}

// free returns nil if a listener can be had on the port; reuse allows ports on which
// connections wait in TIME_WAIT.
func free(host netip.Addr, port uint16, reuse bool) error {
	addr := netip.AddrPortFrom(host, port).String()
	fd, err := unix.Socket(int(family(host.Is6())), unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	defer unix.Close(fd)
	if reuse {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	var sa unix.Sockaddr = &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}
	if host.Is6() {
		sa = &unix.SockaddrInet6{Port: int(port), Addr: host.As16()}
	}
	err = unix.Bind(fd, sa)
	if err == nil {
		err = unix.Listen(fd, 1)
	}
	if err != nil {
		return portInUse(addr, err)
	}
	return nil
}

func portInUse(addr string, err error) error {
	help := "leave --port out and a free port is picked; ss -tlnp shows who listens"
	if errors.Is(err, os.ErrPermission) {
		help = "such low ports are root's; --private has them for everybody"
	}
	return hint.With(fmt.Errorf("listen on %s: %w", addr, err), help)
}
