package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/live"
	"github.com/closecap/closecap/capture/trace"
)

// traceFlags are the flags of closecap trace.
type traceFlags struct {
	recording
	interfaces []string
	allCalls   bool
	live       bool
	outFile    string
}

func newTrace(std streams) *cobra.Command {
	var f traceFlags
	cmd := &cobra.Command{
		Use:   "trace -- COMMAND [ARG...]",
		Short: "Run any program, link its socket calls to its packets",
		Long: `Run a program and its children, capture their traffic, and show which socket call of
which process caused which packet, and why each call returned what it returned.

The program keeps its streams, its terminal and its signals; closecap exits with its
status. Without the right to capture, or with --private, program and capture share a
network namespace of their own, with nothing but a loopback: enough for a server and a
client in one shell command.`,
		Example: "  sudo closecap trace -- curl -s http://localhost:8080/\n  closecap trace -- sh -c 'python3 server.py & python3 client.py'\n  closecap trace -o table.txt --save t.pcapng -- ./server",
		Args:    argCount(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), args, std)
		},
	}
	f.recordFlags(cmd)
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	fl.StringSliceVarP(&f.interfaces, "interface", "i", nil, "interfaces to capture on (default: all that are up)")
	fl.BoolVar(&f.allCalls, "all-calls", false, "show also the calls of event loops that found nothing")
	fl.BoolVar(&f.live, "live", false, "show calls on standard error as they return")
	fl.StringVarP(&f.outFile, "output", "o", "", "write the report to this file (default: standard output, after the program's own)")
	return cmd
}

func (f *traceFlags) run(ctx context.Context, args []string, std streams) error {
	format, err := f.check()
	if err != nil {
		return err
	}
	if (f.private || !kernel.HasNetRaw()) && !kernel.InPrivate() {
		return againInPrivate(std)
	}
	if err := kernel.RaiseLoopback(); err != nil {
		return err
	}
	// Ctrl-C is the traced program's; closecap ends when that has ended.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM)
	defer stop()
	s, err := f.record(ctx, args, std)
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("trace %s: ended by a signal, this is what was seen until then", args[0])
	}
	if s == nil || err != nil && len(s.rec.Calls) == 0 {
		return err
	}
	return errors.Join(err, f.show(s, format, std))
}

const (
	// traceSnapLen, in bytes, keeps all headers and some payload: a loopback segment may hold 64 KB.
	traceSnapLen = 512
	traceBuffer  = 32 << 20 // bytes
	// settleTime bounds the wait for the last packets.
	settleTime = 2 * time.Second
)

// record captures while the program runs.
func (f *traceFlags) record(ctx context.Context, args []string, std streams) (*session, error) {
	diag, err := kernel.OpenDiag()
	if err != nil {
		return nil, err
	}
	defer diag.Close()
	capture, err := live.OpenAll(f.interfaces, live.Options{SnapLen: traceSnapLen, Buffer: traceBuffer})
	if err != nil {
		return nil, err
	}
	s := newSession(capture.Interfaces())
	if f.live {
		s.watch = std.err
	}
	capture.Start(s.packet)
	err = errors.Join(kernel.DropPrivileges(), capture.Barrier(ctx))
	if err == nil {
		s.program, err = trace.Run(ctx, trace.Options{
			Args: args, AllCalls: f.allCalls, OnCall: s.call, Sample: diag.Sample,
		})
	}
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	barrierErr := capture.Barrier(settle)
	stats, stopErr := capture.Stop()
	s.rec.Run.Dropped = stats.Dropped + stats.InterfaceDropped
	return s, errors.Join(err, barrierErr, stopErr)
}

// show reports what was recorded and passes the program's status on.
func (f *traceFlags) show(s *session, format report.Format, std streams) error {
	rec := s.recording()
	res := analyze.Join(rec, analyze.Options{})
	write := func(w io.Writer) error { return report.Write(w, format, res, f.options(w)) }
	var err error
	if f.outFile != "" {
		err = replace(f.outFile, write)
	} else {
		err = buffered(std.out, func(w io.Writer) error {
			return report.Write(w, format, res, f.options(std.out))
		})
	}
	if err := errors.Join(err, f.keep(rec, res)); err != nil {
		return err
	}
	if s.program.Signal != "" {
		fmt.Fprintf(std.err, "closecap: the program was ended by %s\n", s.program.Signal)
	}
	return exitOrNil(s.program.ExitStatus)
}
