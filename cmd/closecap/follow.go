package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/follow"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/live"
	"github.com/closecap/closecap/capture/session"
	"github.com/closecap/closecap/capture/trace"
)

// followed reports whether the calls come from the kernel's own word.
func (f *traceFlags) followed() bool { return f.evidence == byKernel || len(f.pids) > 0 }

// checkEvidence refuses what the evidence can't give.
func (f *traceFlags) checkEvidence(args []string) error {
	switch {
	case (len(args) == 0) == (len(f.pids) == 0):
		return usageError{hint.With(errors.New("trace: want a command, or --pid and the number of a running process"),
			"usage: closecap trace [flags] -- COMMAND [ARG...], or closecap trace [flags] -p PID")}
	case f.evidence != byAuto && f.evidence != byKernel && f.evidence != byPtrace:
		return misused("unknown --evidence %q: want %s, %s or %s", f.evidence, byAuto, byKernel, byPtrace)
	case len(f.pids) > 0 && f.evidence == byPtrace:
		return misused("--pid and --evidence ptrace: a running program is followed with bpf alone")
	case f.followed() && (f.allCalls || f.private):
		return misused("--all-calls and --private: they need --evidence ptrace")
	case f.length < 0 || f.length > 0 && len(f.pids) == 0:
		return misused("--for: want a time to follow --pid for")
	}
	for _, pid := range f.pids {
		if pid <= 0 {
			return misused("--pid %d: want the number of a process", pid)
		}
	}
	return nil
}

// following is one trace by the kernel's word while it runs.
type following struct {
	flags   *traceFlags
	kernel  *follow.Follower
	hearing *hearing
	capture *live.Group
	session *traced
	started func()     // after the program; this process's children are followed until then
	end     event.Time // calls that begin and packets that come after it are left out

	mu      sync.Mutex
	waiting []*event.Packet // until what the kernel told of their time is known
	excess  uint64          // packets that had no room
}

// late is more than what an event of the kernel's takes to be told once it can be polled.
const late = 20 * time.Millisecond

// maxWaiting bounds the packets that wait.
const maxWaiting = 1 << 17

// follow records what the kernel tells of a running program, or of one that it starts.
func (f *traceFlags) follow(ctx context.Context, args []string, format report.Format, std streams) (*traced, error) {
	w := &following{flags: f, end: math.MaxInt64}
	err := w.open(std)
	if w.kernel != nil {
		defer w.kernel.Close()
	}
	if err != nil {
		return nil, err
	}
	s := w.session
	w.capture.Start(w.packet)
	drop := kernel.DropPrivileges
	if len(args) == 0 {
		drop = kernel.DropCapabilities
	}
	err = errors.Join(drop(), w.capture.Barrier(ctx))
	if err == nil {
		if len(args) == 0 {
			w.announce(std.err)
		}
		stop := f.sweepWhile(s, w.capture, format, std)
		err = errors.Join(w.until(ctx, args), stop())
	}
	if w.kernel.Alive() > 0 {
		w.end = present() // they go on
	}
	pollErr := w.kernel.Poll(0)
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	barrierErr := w.capture.Barrier(settle)
	stats, stopErr := w.capture.Stop()
	w.release(w.end)
	lost, hearErr := w.hearing.stop()
	done := w.kernel.Finish()
	s.program.Processes, s.program.Calls, s.program.Folded = done.Processes, done.Calls, done.Folded
	s.End(stats.Dropped+stats.InterfaceDropped+w.excess, append(done.Warnings, lost...))
	return s, errors.Join(err, barrierErr, stopErr, pollErr, hearErr)
}

// announce says that the following has begun.
func (w *following) announce(to io.Writer) {
	who := "1 process"
	if n := w.kernel.Alive(); n != 1 {
		who = fmt.Sprintf("%d processes", n)
	}
	fmt.Fprintf(to, "closecap: following %s; Ctrl-C ends it\n", who)
}

// open attaches everything that needs rights, and finds out what the processes have open. The capture comes
// last: of a connection whose beginning is captured, every call must be known.
func (w *following) open(std streams) error {
	w.session = &traced{words: w.flags.overhears()}
	w.session.Session = session.New(session.Options{
		Run: runOn(nil), Whole: w.flags.save != "", WholeTo: w.flags.wholeTo(), Heard: w.session.words.heard(),
		Narrow: func([]netip.AddrPort) error { return nil },
	})
	take := w.flags.onCall(w.session.Session, std)
	var err error
	err = kernel.WithBPF(func() error {
		w.kernel, err = follow.Open(follow.Options{
			OnCall: func(c event.Call) {
				if c.Start <= w.end {
					take(c)
				}
			},
			OnSocket:       w.session.Socket,
			OnUnprivileged: func(program string) { warnUnprivileged(std.err, program) },
		})
		switch {
		case err != nil:
		case len(w.flags.pids) > 0:
			err = w.kernel.Follow(w.flags.pids)
		default:
			w.started, err = w.kernel.FollowChildren()
		}
		return err
	})
	if err != nil {
		return err
	}
	source, err := openEndings(byKernel, std.err)
	if err != nil {
		return err
	}
	w.hearing = hear(source, w.session.Session)
	w.capture, err = live.OpenAll(w.flags.interfaces, live.Options{SnapLen: w.flags.snapLen(), Buffer: w.flags.buffer})
	if err != nil {
		_, stopErr := w.hearing.stop()
		return errors.Join(err, stopErr)
	}
	w.session.Source(strings.Join(w.capture.Interfaces(), ","))
	return nil
}

// packet takes one from the capture. What its socket is may be told a moment later.
func (w *following) packet(p *event.Packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) >= maxWaiting {
		w.excess++
		return
	}
	w.waiting = append(w.waiting, p)
}

// release hands on the packets up to a time.
func (w *following) release(until event.Time) {
	w.mu.Lock()
	n := 0
	for n < len(w.waiting) && w.waiting[n].Time <= until {
		n++
	}
	ready := w.waiting[:n:n]
	w.waiting = w.waiting[n:]
	w.mu.Unlock()
	for _, p := range ready {
		w.session.Packet(p)
	}
}

// until polls until the program has ended, or ctx has.
func (w *following) until(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return w.watch(ctx)
	}
	return w.start(ctx, args)
}

func (w *following) poll() error {
	known := present()
	err := w.kernel.Poll(pollTime)
	w.release(known.Add(-late))
	return err
}

// watch follows processes that run already, to the end of those that were named.
func (w *following) watch(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	if d := w.flags.length; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	for ctx.Err() == nil {
		if err := w.poll(); err != nil {
			return err
		}
		running := false
		for _, pid := range w.flags.pids {
			running = running || w.kernel.Runs(pid)
		}
		if !running {
			return w.poll() // what they closed at their end
		}
	}
	return nil
}

// start runs a program and follows it and its children to their end.
func (w *following) start(ctx context.Context, args []string) error {
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) { // sd_listen_fds(3)
		fmt.Fprintf(os.Stderr, "closecap: warning: LISTEN_PID is closecap's number: %s will not take the sockets that were passed on (--evidence ptrace gives it its own)\n", report.Safe(args[0]))
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if cmd.Err == nil {
		w.kernel.Starts(cmd.Path)
	}
	err := cmd.Start()
	w.started()
	if err != nil {
		return fmt.Errorf("start program: %w", &trace.StartError{Err: err})
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	over, done := false, ctx.Done()
	for !over || w.kernel.Alive() > 0 && ctx.Err() == nil {
		select {
		case <-ended:
			over, ended = true, nil
			w.result(cmd.ProcessState)
			if w.flags.onEnd != nil {
				w.flags.onEnd()
			}
		case <-done:
			done = nil
			// It may have ended by itself.
			_ = cmd.Process.Signal(syscall.SIGTERM)
		default:
		}
		if err := w.poll(); err != nil {
			return err
		}
	}
	return errors.Join(ctx.Err(), w.poll())
}

// result notes how the program ended.
func (w *following) result(state *os.ProcessState) {
	r := &w.session.program
	r.ExitStatus, r.Signal = follow.HowEnded(state)
}
