package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/live"
	"github.com/closecap/closecap/capture/session"
	"github.com/closecap/closecap/capture/trace"
)

// traceFlags are the flags of closecap trace.
type traceFlags struct {
	recording
	interfaces []string
	allCalls   bool
	live       bool
	buffer     int // of the kernel, in bytes
	pids       []int
	length     time.Duration
	evidence   string
	onEnd      func() // when the program itself has ended
	command    string // what is traced, in words
}

func newTrace(std streams) *cobra.Command {
	f := traceFlags{buffer: traceBuffer}
	cmd := &cobra.Command{
		Use:   "trace [-p PID,... | -- COMMAND [ARG...]]",
		Short: "Run or follow any program, link its socket calls to its packets",
		Long: `Run a program and its children, capture their traffic, and show which socket call of
which process caused which packet, and why each call returned what it returned.

The program keeps its streams, its terminal and its signals; closecap exits with its
status, with 127 where there is no such program and 126 where it can't be run. Without the
right to capture, or with --private, program and capture share a network namespace of
their own, with nothing but a loopback: enough for a server and a client in one shell
command.

With -p a running program is followed instead, with its children, until it ends, for --for,
or until Ctrl-C. Its calls are known by BPF: nothing is stopped, it costs a fraction, and
what the calls carried and what poll found is not seen. It needs root, or CAP_BPF,
CAP_PERFMON and CAP_NET_RAW, until it is attached. --evidence bpf is that for a COMMAND.

Where that is allowed the kernel is also asked why it sends each RST and what it had unread,
at both ends if they are here, traced or not. Its word goes before what calls and packets say.`,
		Example: "  sudo closecap trace -- curl -s http://localhost:8080/\n  closecap trace -- sh -c 'python3 server.py & python3 client.py'\n  closecap trace -o table.txt --save t.pcapng -- ./server\n  sudo closecap trace -p 812 --for 30s",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), args, std)
		},
	}
	f.recordFlags(cmd)
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	fl.StringSliceVarP(&f.interfaces, "interface", "i", nil, "interfaces to capture on (default: all that are up)")
	fl.BoolVar(&f.allCalls, "all-calls", false, "show also calls that are usually noise: EAGAIN, a poll that tells of no end, getsockopt")
	fl.BoolVar(&f.live, "live", false, "show calls on standard error as they return")
	fl.IntSliceVarP(&f.pids, "pid", "p", nil, "follow these running processes and their children instead of starting a program")
	fl.DurationVar(&f.length, "for", 0, "follow --pid for this long (default: until they end, or Ctrl-C)")
	fl.StringVar(&f.evidence, "evidence", byAuto, "where calls are known from: ptrace, bpf (cheaper, but not what a call carried, nor poll), or auto: bpf for --pid, else ptrace. With bpf, and auto where it may, the kernel is asked why it sends RST")
	completeFlag(cmd, "evidence", []cobra.Completion{byAuto, byPtrace, byKernel})
	fl.Lookup("output").Usage = "write the report to this `file` (default: standard output, after the program's own; NDJSON and CSV as connections end)"
	return cmd
}

func (f *traceFlags) run(ctx context.Context, args []string, std streams) error {
	format, err := f.check()
	if err != nil {
		return err
	}
	if err := f.checkEvidence(args); err != nil {
		return err
	}
	if err := f.ready(); err != nil {
		return err
	}
	if !f.followed() && (f.private || !kernel.HasNetRaw()) && !kernel.InPrivate() {
		return againInPrivate(f.evidence, std)
	}
	if err := kernel.RaiseLoopback(); err != nil {
		return err
	}
	f.command = f.traced(args)
	ctx, stop := f.patience(context.WithoutCancel(ctx), std)
	defer stop()
	record := f.record
	if f.followed() {
		record = f.follow
	}
	s, err := record(ctx, args, format, std)
	if by := (interruption{}); errors.Is(err, context.Canceled) && errors.As(context.Cause(ctx), &by) {
		err = statusError{fmt.Errorf("trace %s: %w: this is what was seen until then", strings.Join(args[:min(1, len(args))], ""), by), by.code()}
	}
	if start := (*trace.StartError)(nil); errors.As(err, &start) {
		return statusError{err, startStatus(start)}
	}
	if s == nil || err != nil && s.Totals().Calls == 0 {
		return err
	}
	shown := f.show(s, format, std)
	if exit := exitError(0); err != nil && errors.As(shown, &exit) {
		shown = nil // what ended the trace says more than how its program ended then
	}
	return errors.Join(err, shown)
}

func startStatus(err error) int {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
		return exitNotFound
	}
	return exitCannotRun
}

const (
	// traceSnapLen, in bytes, keeps all headers and some payload: a loopback segment may hold 64 KB. Last words want
	// more, as SSH's list of algorithms: wordsSnapLen.
	traceSnapLen = 512
	traceBuffer  = 64 << 20 // bytes
	// settleTime bounds the wait for the last packets.
	settleTime = 2 * time.Second
)

// sweepEvery is how often what is over is looked for.
const sweepEvery = time.Second

// traced is what there is of a program that ran.
type traced struct {
	*session.Session
	program trace.Result
	rows    *rows // nil until something is shown before the end
	words   *overheard
}

// record captures while the program runs.
func (f *traceFlags) record(ctx context.Context, args []string, format report.Format, std streams) (*traced, error) {
	diag, err := kernel.OpenDiag()
	if err != nil {
		return nil, err
	}
	defer diag.Close()
	capture, err := live.OpenAll(f.interfaces, live.Options{SnapLen: f.snapLen(), Buffer: f.buffer})
	if err != nil {
		return nil, err
	}
	s := &traced{words: f.overhears()}
	s.Session = session.New(session.Options{
		Run: runOn(capture.Interfaces()), Whole: f.save != "", WholeTo: f.wholeTo(), Heard: s.words.heard(), Narrow: capture.Narrow,
	})
	source, err := openEndings(f.evidence, std.err)
	hearing := hear(source, s.Session)
	err = errors.Join(err, capture.Narrow(nil)) // until the program has a socket
	capture.Start(s.Packet)
	err = errors.Join(err, kernel.DropPrivileges(), capture.Barrier(ctx))
	if err == nil {
		stop := f.sweepWhile(s, capture, format, std)
		s.program, err = trace.Run(ctx, trace.Options{
			Args: args, AllCalls: f.allCalls, OnCall: f.onCall(s.Session, std), OnSocket: s.Socket, Sample: diag.Sample, Holders: holdersBy(source),
			OnUnprivileged: func(program string) { warnUnprivileged(std.err, program) },
			OnEnd:          f.onEnd,
		})
		err = errors.Join(err, stop())
	}
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	barrierErr := capture.Barrier(settle)
	stats, stopErr := capture.Stop()
	lost, hearErr := hearing.stop()
	s.End(stats.Dropped+stats.InterfaceDropped, append(s.program.Warnings, lost...))
	return s, errors.Join(err, barrierErr, stopErr, hearErr)
}

// runOn says what is known of a run before it begins.
func runOn(interfaces []string) event.Run {
	run := event.Run{
		Tool: "closecap " + version, Source: strings.Join(interfaces, ","),
		Kernel: kernel.Release(), Netns: "host",
	}
	if kernel.InPrivate() {
		run.Netns = "private"
	}
	return run
}

// wholeTo is of how many connections packets are kept for the last words in them.
func (f *traceFlags) wholeTo() int {
	if f.noPayload {
		return 0
	}
	return report.CallsShown
}

// snapLen is how much of a packet is captured, in bytes.
func (f *traceFlags) snapLen() int {
	if f.noPayload {
		return traceSnapLen
	}
	return wordsSnapLen
}

// overhears returns what keeps the last words of connections that are shown as they end.
func (f *traceFlags) overhears() *overheard {
	if f.noPayload || f.save != "" || f.html != "" {
		return nil
	}
	return newOverheard()
}

// onCall returns what takes each call, and with --live shows it.
func (f *traceFlags) onCall(s *session.Session, std streams) func(event.Call) {
	if !f.live && !f.noPayload {
		return s.Call
	}
	return func(c event.Call) {
		if f.noPayload {
			c.DropPayload()
		}
		if f.live {
			fmt.Fprintln(std.err, report.Safe(c.Summary()))
		}
		s.Call(c)
	}
}

// sweepWhile shows connections as they end, where the form has a row for each and the packets are not
// wanted later. The returned func waits for its goroutine.
func (f *traceFlags) sweepWhile(s *traced, capture *live.Group, format report.Format, std streams) (stop func() error) {
	lines := format.ConnectionsOnly()
	if f.save != "" || f.html != "" || !lines && format != report.Table && format != report.Markdown {
		return func() error { return nil }
	}
	done, finished := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		var err error
		for {
			select {
			case <-done:
				finished <- err
				return
			case <-tick.C:
			}
			if s.rows == nil && err == nil && (lines || s.Connections() > report.CallsShown) {
				if s.rows, err = f.newRows(format, lines && f.outFile == "", std); s.rows != nil {
					s.rows.words = s.words
				}
			}
			if s.rows != nil {
				stats, _ := capture.Stats() // Stop says what is wrong with it
				s.rows.sweep(s.Session, present(), stats.Dropped+stats.InterfaceDropped)
			}
		}
	}()
	return func() error { close(done); return <-finished }
}

func (f *traceFlags) newRows(format report.Format, atOnce bool, std streams) (*rows, error) {
	if atOnce {
		return newRows(std.out, format, f.traceOptions(std))
	}
	return newRows(nil, format, f.traceOptions(std))
}

// warnUnprivileged says so while the program may yet tell in its own words why it fails.
func warnUnprivileged(w io.Writer, program string) {
	fmt.Fprintf(w, "closecap: warning: %s runs without the privileges that its file gives: it is traced without root\n", report.Safe(program))
	fmt.Fprintln(w, "closecap: hint: root's own trace leaves them: sudo env -u SUDO_UID -u SUDO_GID closecap trace ...")
}

func (f *traceFlags) traceOptions(std streams) report.Options {
	opt := f.options(std)
	opt.Command = f.command
	return opt
}

// traced says in words what is traced: the command as a shell takes it, or the processes.
func (f *traceFlags) traced(args []string) string {
	if len(args) == 0 {
		return "pid " + strings.Trim(strings.ReplaceAll(fmt.Sprint(f.pids), " ", ", "), "[]")
	}
	words := make([]string, len(args))
	for i, a := range args {
		if words[i] = a; a == "" || strings.ContainsAny(a, " \t\n'\"$`\\;&|<>()*?#~") {
			words[i] = report.ShellQuote(a)
		}
	}
	return strings.Join(words, " ")
}

// show reports what was recorded and passes the program's status on.
func (f *traceFlags) show(s *traced, format report.Format, std streams) error {
	var rec *event.Recording
	var res *analyze.Result
	var write func(w io.Writer) error
	if s.rows != nil {
		res = s.rows.rest(s.Session)
		write = func(w io.Writer) error { return s.rows.finish(w, res) }
	} else {
		rec = s.Recording()
		res = f.join(rec)
		write = func(w io.Writer) error { return report.Write(w, format, res, f.traceOptions(std)) }
	}
	err := f.report(std, write)
	if format.ConnectionsOnly() {
		for _, w := range report.Warnings(res) {
			fmt.Fprintf(std.err, "closecap: warning: %s\n", report.Safe(w))
		}
	}
	if err := errors.Join(err, f.keep(rec, res)); err != nil {
		return err
	}
	if s.program.Signal != "" {
		fmt.Fprintf(std.err, "closecap: the program was ended by %s\n", s.program.Signal)
	}
	return exitOrNil(s.program.ExitStatus)
}
