package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/lab/script"
)

// background begins a call in a thread of its own and returns once the thread waits inside
// the call, or the call is over.
func (d *director) background(ctx context.Context, p *process, st *script.Step) error {
	sock := p.sockets[d.fdOf(p, st)]
	replies, err := p.order(d.resolve(p, st), -1)
	if err != nil {
		return err
	}
	begun, err := p.await(ctx, replies)
	if err != nil {
		return stuck(st, err)
	}
	c := d.write(p, st, sock, &begun)
	p.pending = append(p.pending, &pending{call: c, step: st, socket: sock, replies: replies})
	pause := time.NewTicker(untilPause)
	defer pause.Stop()
	for len(replies) == 0 && !inside(p.pid, begun.TID, begun.Trap) {
		select {
		case <-pause.C:
		case <-p.dead:
			return fmt.Errorf("%s: %w", p.name, errGone)
		case <-ctx.Done():
			return stuck(st, context.Cause(ctx))
		}
	}
	c.Blocked = len(replies) == 0
	return d.after(ctx, c, nil)
}

// inside reports whether the thread sleeps inside the system call.
func inside(pid, tid, trap int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/syscall", pid, tid))
	if err != nil {
		return true // not ours to see (kernel without it): the actor has said that it begins
	}
	nr, _, _ := strings.Cut(string(b), " ")
	return nr == strconv.Itoa(trap)
}

func (d *director) runJoin(ctx context.Context, p *process, st *script.Step) error {
	if len(p.pending) == 0 {
		return fmt.Errorf("%s has no call to join", p.name)
	}
	w := p.pending[0]
	r, err := p.await(ctx, w.replies)
	if err != nil {
		return stuck(w.step, err)
	}
	p.pending = p.pending[1:]
	d.finish(p, w, &r, st.Want)
	return d.after(ctx, w.call, nil)
}

// finishDone completes the background calls that are over though no line joined them, also those that the end of
// their process cut off.
func (d *director) finishDone() (err error) {
	for _, p := range d.processes {
		for _, w := range p.pending {
			switch {
			case len(w.replies) > 0:
				r := <-w.replies
				d.finish(p, w, &r, "")
				err = errors.Join(err, d.sample(w.call))
			case p.over.end != 0:
				p.over.abandon(w.call)
			}
		}
		p.pending = nil
	}
	return err
}

// abandon says of c that it never returned.
func (e *endedProcess) abandon(c *event.Call) {
	by := e.name + " " + e.args
	if e.name == "kill" {
		by, c.Signal = e.args, e.args
	}
	c.Ret, c.Abandoned, c.Note = -1, e.end, "did not return: "+by+" ended its thread"
}

// finish completes the call that a thread made.
func (d *director) finish(p *process, w *pending, r *reply, want string) {
	d.learn(p, w.step, r)
	fill(w.call, w.step, r)
	if want != "" {
		w.call.Want = want
	}
	d.pair(w.call.Local, w.call.Remote)
	d.last = w.call
}
