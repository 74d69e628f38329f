package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/lab/script"
)

// directiveRuns does what the directives of script.Directives say.
var directiveRuns = map[string]func(d *director, ctx context.Context, st *script.Step) error{
	"actor":  func(*director, context.Context, *script.Step) error { return nil }, // started before the first line
	"expect": (*director).runExpect,
	"wait":   (*director).runWait,
	"until":  (*director).runUntil,
	"drop":   (*director).runFilter,
	"pass":   (*director).runFilter,
	"kill":   (*director).runKill,
	"sysctl": (*director).runSysctl,
}

// specialRuns are the calls that are more than an order to one actor and its reply.
var specialRuns = map[string]func(d *director, ctx context.Context, p *process, st *script.Step) error{
	"fork": (*director).runFork,
	"exec": (*director).runExec,
	"exit": (*director).runExit,
	"join": (*director).runJoin,
}

func (d *director) runExpect(_ context.Context, st *script.Step) error {
	d.expects = append(d.expects, expected{st.Expect, d.last})
	return nil
}

// own writes down what the experiment itself did; such a call has no actor.
func (d *director) own(st *script.Step, name, args string, start int64) *event.Call {
	c := &event.Call{
		PID: os.Getpid(), TID: os.Getpid(), FD: -1, RecvQ: -1, Name: name, Args: args, At: st.At,
		Start: event.Time(start), End: event.Time(now()),
	}
	d.calls = append(d.calls, c)
	d.last = c
	return c
}

func (d *director) runWait(ctx context.Context, st *script.Step) error {
	before, start := d.counters(), now()
	timer := time.NewTimer(st.Duration)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return fmt.Errorf("wait %v: %w", st.Duration, context.Cause(ctx))
	}
	c := d.own(st, "wait", st.Duration.String(), start)
	c.Blocked = true
	return d.after(ctx, c, before)
}

func (d *director) runFilter(ctx context.Context, st *script.Step) error {
	var calls []*script.Step
	for _, s := range append([]*script.Step{st}, st.With...) {
		call := *s
		call.Directive = ""
		call.Verb = &script.Verb{Name: st.Directive, Use: script.OpensSocket}
		call.Op = script.Op{Verb: "filter", Words: s.Op.Words}
		calls = append(calls, &call)
	}
	start := now()
	err := d.call(ctx, calls)
	d.slowest = max(d.slowest, time.Duration(now()-start))
	return err
}

func (d *director) runSysctl(ctx context.Context, st *script.Step) error {
	before, start := d.counters(), now()
	was, readErr := kernel.Sysctl(st.Setting[0])
	err := kernel.SetSysctl(st.Setting[0], st.Setting[1])
	if err == nil && readErr == nil {
		d.settings = append(d.settings, [2]string{st.Setting[0], was})
	}
	if st.Optional && errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("set net.ipv4.%s: this kernel has no such setting: %w", st.Setting[0], errors.ErrUnsupported)
	}
	if err != nil {
		return err
	}
	c := d.own(st, "sysctl", st.Setting[0]+" "+st.Setting[1], start)
	return d.after(ctx, c, before)
}

// restoreSettings gives the namespace back as the script found it: the next one may run there too.
func (d *director) restoreSettings() error {
	var errs []error
	for _, s := range slices.Backward(d.settings) {
		errs = append(errs, kernel.SetSysctl(s[0], s[1]))
	}
	d.settings = nil
	return errors.Join(errs...)
}

func (d *director) runKill(ctx context.Context, st *script.Step) error {
	p, err := d.process(st.Actor)
	if err != nil {
		return err
	}
	queues := d.queues(p)
	before, start := d.counters(), now()
	if err := p.kill(); err != nil {
		return fmt.Errorf("kill %s: %w", st.Actor, err)
	}
	return d.ended(ctx, p, st, endedProcess{"kill", "SIGKILL", start, 0, p.pid, queues, before})
}

func (d *director) runExit(ctx context.Context, p *process, st *script.Step) error {
	queues := d.queues(p)
	before := d.counters()
	begun, err := d.begin(ctx, p, st)
	if err != nil {
		return err
	}
	return d.ended(ctx, p, st, endedProcess{"exit", strconv.Itoa(st.Op.Size), begun.Start, 0, begun.TID, queues, before})
}

// begin orders a call that may end the actor, and returns what it says before it.
func (d *director) begin(ctx context.Context, p *process, st *script.Step) (*reply, error) {
	replies, err := p.order(d.resolve(p, st), -1)
	if err != nil {
		return nil, err
	}
	r, err := p.await(ctx, replies)
	if err != nil {
		return nil, stuck(st, err)
	}
	return &r, nil
}

// endedProcess is how a process ended.
type endedProcess struct {
	name, args string
	start      int64
	end        event.Time
	tid        int
	queues     map[int]int // descriptor -> bytes unread before
	before     kernel.Counters
}

// ended waits for the end of a process and writes one call for each socket that it held.
func (d *director) ended(ctx context.Context, p *process, st *script.Step, e endedProcess) error {
	select {
	case <-p.dead:
	case <-ctx.Done():
		return fmt.Errorf("%s %s: %w", p.name, e.name, context.Cause(ctx))
	}
	e.end = event.Time(now())
	held := p.sockets
	p.sockets, p.over = nil, e
	return d.closedAll(ctx, p, st, e, held)
}

// closedAll writes one call for each socket that a process gave up at once, or one without
// a socket when it gave up none.
func (d *director) closedAll(ctx context.Context, p *process, st *script.Step, e endedProcess, held map[int]*socket) error {
	base := event.Call{
		Actor: p.name, PID: p.pid, TID: e.tid, FD: -1, RecvQ: -1, Name: e.name, Args: e.args,
		At: st.At, Want: st.Want, Start: event.Time(e.start), End: e.end,
	}
	var all []*event.Call
	for _, fd := range slices.Sorted(maps.Keys(held)) {
		s, c := held[fd], base
		c.FD, c.Socket, c.Local, c.Remote = fd, s.cookie, s.local, s.remote
		if n, ok := e.queues[fd]; ok {
			c.RecvQ = n
		}
		c.Holders = d.holders(s, nil, -1)
		all = append(all, &c)
	}
	if all == nil {
		all = []*event.Call{&base}
	}
	d.calls = append(d.calls, all...)
	d.last = all[len(all)-1]
	if err := d.after(ctx, all[0], e.before); err != nil {
		return err
	}
	for _, c := range all[1:] {
		c.Samples = all[0].Samples
	}
	return nil
}

// queues returns what lies unread in each connection of p.
func (d *director) queues(p *process) map[int]int {
	found := make(map[int]int)
	for fd, s := range p.sockets {
		if !s.remote.IsValid() {
			continue
		}
		if sample, err := d.diag.Sample(s.local, s.remote); err == nil {
			found[fd] = sample.RecvQ
		}
	}
	return found
}

func (d *director) runFork(ctx context.Context, p *process, st *script.Step) error {
	child, other, err := newProcess(st.Other)
	if err != nil {
		return err
	}
	child.sockets, child.names = maps.Clone(p.sockets), maps.Clone(p.names)
	child.known = maps.Clone(p.known)
	before := d.counters()
	o := d.resolve(p, st)
	o.Words = []string{st.Other}
	o.Keep = slices.Sorted(maps.Keys(p.sockets))
	replies, err := p.order(o, other)
	_ = unix.Close(other)
	if err != nil {
		return err
	}
	r, err := p.await(ctx, replies)
	if err != nil {
		return stuck(st, err)
	}
	c := d.write(p, st, nil, &r)
	if r.Errno != 0 {
		_ = unix.Close(child.control)
		return callError(st, &r)
	}
	if err := child.attach(int(r.Ret)); err != nil {
		return err
	}
	d.processes = append(d.processes, child)
	if _, err := child.hello(ctx); err != nil {
		return err
	}
	return d.after(ctx, c, before)
}

func (d *director) runExec(ctx context.Context, p *process, st *script.Step) error {
	queues := d.queues(p)
	before := d.counters()
	begun, err := d.begin(ctx, p, st)
	if err != nil {
		return err
	}
	if !begun.Begun {
		d.write(p, st, nil, begun)
		return callError(st, begun)
	}
	fresh, err := p.hello(ctx)
	if err != nil {
		return err
	}
	lost := make(map[int]*socket)
	for fd, s := range p.sockets {
		if !slices.Contains(fresh.Open, fd) {
			lost[fd] = s
			delete(p.sockets, fd)
		}
	}
	return d.closedAll(ctx, p, st, endedProcess{"exec", "", begun.Start, event.Time(now()), begun.TID, queues, before}, lost)
}
