package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/bpf"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/lab/script"
	"github.com/closecap/closecap/capture/live"
)

// director carries out a script's steps one after the other and writes down what came of them.
type director struct {
	script  *script.Script
	opt     Options
	host    netip.Addr
	base    uint16
	capture *live.Capture
	diag    *kernel.Diag
	endings bpf.Source // nil where the kernel is not asked
	told    []event.KernelEvent

	processes []*process  // in the order of their start, ended ones included
	ids       int         // of ops
	settings  [][2]string // sysctls that the script changed, with what they were

	calls   []*event.Call
	last    *event.Call // the last call that an expectation can speak of
	pairs   [][2]netip.AddrPort
	packets atomic.Int64  // captured so far
	slowest time.Duration // the slowest drop or pass so far
	expects []expected
}

// expected is an expectation together with the call before it.
type expected struct {
	event.Expectation
	after *event.Call
}

// steps runs the script. An error names the line at which it ended.
func (d *director) steps(ctx context.Context) error {
	for i := range d.script.Steps {
		st := d.script.Steps[i].Clone() // the script is shared
		if d.opt.Progress != nil {
			d.opt.Progress(st.Text)
		}
		if err := d.step(ctx, st); err != nil {
			return fmt.Errorf("%s: %w", st.At, err)
		}
		if err := d.listen(); err != nil {
			return err
		}
	}
	return nil
}

func (d *director) step(ctx context.Context, st *script.Step) error {
	if st.Directive != "" {
		return directiveRuns[st.Directive](d, ctx, st)
	}
	p, err := d.process(st.Actor)
	if err != nil {
		return err
	}
	if !p.running() {
		return fmt.Errorf("%s: %w", st.Actor, errGone)
	}
	if run, ok := specialRuns[st.Verb.Name]; ok {
		return run(d, ctx, p, st)
	}
	if err := d.prepare(ctx, p, st); err != nil {
		return err
	}
	if st.Background {
		return d.background(ctx, p, st)
	}
	return d.call(ctx, append([]*script.Step{st}, st.With...))
}

func (d *director) process(name string) (*process, error) {
	i := slices.IndexFunc(d.processes, func(p *process) bool { return p.name == name })
	if i < 0 {
		return nil, fmt.Errorf("%s was not started", name)
	}
	return d.processes[i], nil
}

// prepare opens the step's socket where no line before did, and binds a listener. These
// calls are written down only when they fail: a line is a row.
func (d *director) prepare(ctx context.Context, p *process, st *script.Step) error {
	if st.Verb.Use != script.OpensSocket {
		return nil
	}
	if _, open := p.names[st.Socket]; !open {
		if err := d.quietly(ctx, p, st, script.Op{Verb: "socket", FD: -1}); err != nil {
			return err
		}
		if st.Verb.Name == "listen" {
			err := d.quietly(ctx, p, st, script.Op{Verb: "setsockopt", Option: "SO_REUSEADDR", Value: 1})
			if err != nil {
				return err
			}
		}
	}
	s := p.sockets[p.names[st.Socket]]
	if st.Verb.Name != "listen" || s == nil || s.bound {
		return nil
	}
	return d.quietly(ctx, p, st, script.Op{Verb: "bind", Addr: d.address(st.Port)})
}

func (d *director) address(port script.Port) string {
	return netip.AddrPortFrom(d.host, port.Resolve(d.base)).String()
}

// quietly makes a call that the script did not write. A failure is written down and ends
// the run.
func (d *director) quietly(ctx context.Context, p *process, st *script.Step, o script.Op) error {
	hidden := *st
	v, err := script.FindVerb(o.Verb)
	if err != nil {
		return err
	}
	hidden.Verb, hidden.Op, hidden.Want = v, o, ""
	r, err := d.perform(ctx, p, &hidden)
	if err != nil {
		return err
	}
	if r.Errno == 0 {
		return nil
	}
	d.write(p, &hidden, p.sockets[hidden.Op.FD], r)
	return callError(&hidden, r)
}

// callError is the error for a call whose failure ends the run.
func callError(st *script.Step, r *reply) error {
	errno := unix.Errno(r.Errno)
	if st.Verb.Name == "bind" && errno == unix.EADDRINUSE {
		return portInUse(st.Op.Addr, errno)
	}
	return fmt.Errorf("%s %s: %w", st.Actor, st.Verb.Name, errno)
}

// perform has the actor make the step's call and learns from it which sockets there are.
func (d *director) perform(ctx context.Context, p *process, st *script.Step) (*reply, error) {
	o := d.resolve(p, st)
	replies, err := p.order(o, -1)
	if err != nil {
		return nil, err
	}
	r, err := p.await(ctx, replies)
	if err != nil {
		return nil, err
	}
	d.learn(p, st, &r)
	return &r, nil
}

// resolve fills in what is only known now: descriptor and address.
func (d *director) resolve(p *process, st *script.Step) *script.Op {
	d.ids++
	o := &st.Op
	o.ID, o.V6, o.FD = d.ids, d.host.Is6(), -1
	name := st.Socket
	if o.Verb == "accept" {
		name = st.Other
	}
	if fd, ok := p.names[name]; ok && o.Verb != "socket" {
		o.FD = fd
	}
	if (o.Verb == "connect" || o.Verb == "bind") && !st.Unspec {
		o.Addr = d.address(st.Port)
	}
	return o
}

// learn keeps the director's picture of who holds which socket true.
func (d *director) learn(p *process, st *script.Step, r *reply) {
	fd := st.Op.FD
	if st.Op.Verb == "connect" && unix.Errno(r.Errno) == unix.EINPROGRESS {
		r.Remote, _ = netip.ParseAddrPort(st.Op.Addr)
	} else if r.Errno != 0 {
		return
	}
	switch st.Op.Verb {
	case "socket", "accept":
		s := &socket{}
		s.learn(r)
		p.sockets[int(r.Ret)], p.names[st.Socket], p.known[st.Socket] = s, int(r.Ret), s
	case "dup":
		s := p.sockets[fd]
		p.sockets[int(r.Ret)], p.names[st.Other], p.known[st.Other] = s, int(r.Ret), s
	case "close":
		delete(p.sockets, fd)
		return
	case "bind":
		if s := p.sockets[fd]; s != nil {
			s.bound = true
		}
	}
	if s := p.sockets[fd]; s != nil && st.Op.Verb != "accept" {
		s.learn(r)
	}
}

// ordered is a foreground call that an actor was told to make.
type ordered struct {
	process *process
	step    *script.Step
	socket  *socket
	replies <-chan reply
	asked   int64
}

// call makes the calls of one line and writes them down. All are ordered before any is
// waited for.
func (d *director) call(ctx context.Context, steps []*script.Step) error {
	before := d.counters()
	var all []ordered
	for _, st := range steps {
		p, err := d.process(st.Actor)
		if err != nil {
			return err
		}
		o := ordered{process: p, step: st, socket: p.sockets[d.fdOf(p, st)], asked: now()}
		if o.replies, err = p.order(d.resolve(p, st), -1); err != nil {
			return err
		}
		all = append(all, o)
	}
	var made []*event.Call
	var failed error
	for _, o := range all {
		c, err := d.collect(ctx, o)
		if c == nil {
			return err
		}
		made = append(made, c)
		failed = errors.Join(failed, err)
	}
	if err := d.after(ctx, made[0], before); err != nil {
		return err
	}
	for _, c := range made[1:] {
		c.Samples = made[0].Samples
	}
	return failed
}

// collect waits for a call's end and writes it down; nil where it had none. The error is
// for a call without which the script's next lines make no sense.
func (d *director) collect(ctx context.Context, o ordered) (*event.Call, error) {
	p, st := o.process, o.step
	r, err := p.await(ctx, o.replies)
	if err != nil {
		if !errors.Is(err, errGone) {
			d.write(p, st, o.socket, &reply{PID: p.pid, TID: p.pid, Start: o.asked, RecvQ: -1})
		}
		return nil, stuck(st, err)
	}
	d.learn(p, st, &r)
	c := d.write(p, st, o.socket, &r)
	if was := p.known[st.Socket]; r.Errno == int(unix.EBADF) && was != nil {
		c.Local, c.Remote = was.local, was.remote
	}
	if st.Op.Verb == "close" && r.Errno == 0 && o.socket != nil {
		c.Holders = d.holders(o.socket, nil, -1)
	}
	failed := r.Errno != 0 && unix.Errno(r.Errno) != unix.EINPROGRESS
	if failed && st.Want == "" && (st.Verb.Use == script.MakesSocket || st.Verb.Use == script.OpensSocket) {
		return c, callError(st, &r)
	}
	return c, nil
}

func (d *director) fdOf(p *process, st *script.Step) int {
	name := st.Socket
	if st.Verb.Name == "accept" {
		name = st.Other
	}
	if fd, ok := p.names[name]; ok {
		return fd
	}
	return -1
}

// stuck is the error for a call that had not returned when the run ended.
func stuck(st *script.Step, err error) error {
	if errors.Is(err, errGone) {
		return fmt.Errorf("%s %s: %w", st.Actor, st.Verb.Name, err)
	}
	return fmt.Errorf("%s %s had not returned: %w", st.Actor, st.Verb.Name, err)
}

// pair remembers a connection's two ends, whose states are sampled from now on.
func (d *director) pair(local, remote netip.AddrPort) {
	if !local.IsValid() || !remote.IsValid() || local.Port() == 0 || remote.Port() == 0 || local.Addr().IsUnspecified() {
		return
	}
	known := slices.ContainsFunc(d.pairs, func(p [2]netip.AddrPort) bool {
		return p == [2]netip.AddrPort{local, remote} || p == [2]netip.AddrPort{remote, local}
	})
	if !known {
		d.pairs = append(d.pairs, [2]netip.AddrPort{local, remote})
	}
}

// counters returns the kernel's counters where they count this run alone, else nil.
func (d *director) counters() kernel.Counters {
	if !d.opt.Private {
		return nil
	}
	c, err := kernel.ReadCounters()
	if err != nil {
		return nil
	}
	return c
}

// sampleTries bounds how often both ends are asked while segments go on coming.
const sampleTries = 5

// after waits until the capture has seen what the call did, and asks the kernel for both
// ends' states. A segment that a timer sends meanwhile may be captured and not yet be
// processed: then the kernel is asked again.
func (d *director) after(ctx context.Context, c *event.Call, before kernel.Counters) error {
	if err := d.capture.Barrier(ctx); err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	if before != nil {
		if now := d.counters(); now != nil {
			c.Counters = now.Since(before)
		}
	}
	for range sampleTries {
		seen := d.packets.Load()
		if err := d.sample(c); err != nil {
			return err
		}
		if err := d.capture.Barrier(ctx); err != nil {
			return fmt.Errorf("capture: %w", err)
		}
		if d.packets.Load() == seen {
			break
		}
	}
	return nil
}

// sample asks for both ends of every connection.
func (d *director) sample(c *event.Call) error {
	c.Samples = nil
	for _, pair := range d.pairs {
		for _, end := range [][2]netip.AddrPort{pair, {pair[1], pair[0]}} {
			s, err := d.diag.Sample(end[0], end[1])
			if err != nil {
				return fmt.Errorf("sample %s: %w", end[0], err)
			}
			c.Samples = append(c.Samples, s)
		}
	}
	return nil
}
