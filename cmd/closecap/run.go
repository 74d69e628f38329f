package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/bpf"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/lab"
	"github.com/closecap/closecap/capture/lab/script"
)

// runFlags are the flags of closecap run.
type runFlags struct {
	recording
	how      scenarioFlags
	all      bool
	port     uint16
	evidence string
	endings  func(bpf.Options) (bpf.Source, error) // what the evidence has of the kernel's word; nil for nothing
}

func newRun(std streams) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO|FILE.close...",
		Short: "Run a scenario on the loopback, capture it, show which call caused which packet",
		Long: `Run a scenario on the loopback, capture it, and show which call caused which packet
and what the kernel then says of both ends.

A scenario is one of closecap list, or a script of your own (closecap show NAME prints
one to start from). Without the right to capture, or with --private, it runs in its own
user and network namespace: no root needed.

Root's runs also ask the kernel itself (BPF) why it sent an RST and what was left unread.
Who may not do that (it takes CAP_BPF and CAP_PERFMON) has packets and calls alone.

With --all every scenario runs in a namespace of its own, several at a time, and one table
says how each ended and whether it did what it expects.`,
		Example: "  closecap run shutdown-wr\n  sudo closecap run close --save close.pcapng\n  closecap run ./mine.close --format json\n  closecap run --all",
		Args:    f.count,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), args, std)
		},
		ValidArgsFunction: completeScenarios,
	}
	f.recordFlags(cmd)
	f.how.flags(cmd.Flags())
	cmd.Flags().BoolVar(&f.all, "all", false, "run all scenarios, or those named, side by side; show a row for each")
	cmd.Flags().Uint16Var(&f.port, "port", 0, "port of the server (default: a free one)")
	cmd.Flags().StringVar(&f.evidence, "evidence", byAuto, "whether the kernel is asked why it sends RST and what was left unread: bpf, calls (it is not), or auto: where it may be")
	completeFlag(cmd, "evidence", []cobra.Completion{byAuto, byKernel, byCalls})
	return cmd
}

// count lets --all stand without a name.
func (f *runFlags) count(cmd *cobra.Command, args []string) error {
	if f.all {
		return nil
	}
	return argCount(cobra.MinimumNArgs(1))(cmd, args)
}

func (f *runFlags) run(ctx context.Context, args []string, std streams) error {
	format, err := f.check()
	if err != nil {
		return err
	}
	if f.evidence != byAuto && f.evidence != byKernel && f.evidence != byCalls {
		return misused("unknown --evidence %q: want %s, %s or %s", f.evidence, byAuto, byKernel, byCalls)
	}
	if err := f.how.possible(); err != nil {
		return err
	}
	if f.all {
		return f.runAll(ctx, args, format, std)
	}
	if f.save != "" && len(args) > 1 {
		return misused("--save %s: takes one scenario, not %d", f.save, len(args))
	}
	if f.html != "" && len(args) > 1 {
		return misused("--html %s: takes one scenario, not %d", f.html, len(args))
	}
	if f.outFile != "" && len(args) > 1 && !format.ConnectionsOnly() {
		return misused("--output %s: takes one scenario, not %d (--all and csv or ndjson take more)", f.outFile, len(args))
	}
	scripts, err := load(args)
	if err != nil {
		return err
	}
	if err := f.ready(); err != nil {
		return err
	}
	if f.wantsPrivate(scripts) && !kernel.InPrivate() {
		return againInPrivate(f.evidence, std)
	}
	if err := kernel.RaiseLoopback(); err != nil {
		return err
	}
	f.endings = endingsBy(f.evidence, std.err)
	if format.ConnectionsOnly() {
		return f.lines(ctx, scripts, format, std)
	}
	shown := 0
	return f.each(ctx, scripts, std, func(_ *script.Script, res *analyze.Result) error {
		if shown++; shown > 1 && format.ForTerminal() {
			fmt.Fprintln(std.out)
		}
		return f.report(std, func(w io.Writer) error {
			return report.Write(w, format, res, f.options(std))
		})
	})
}

// lines shows a line for each connection, under one heading for all scenarios.
func (f *runFlags) lines(ctx context.Context, scripts []*script.Script, format report.Format, std streams) error {
	var ran error
	shown := f.report(std, func(w io.Writer) error {
		stream := report.NewStream(w, format, f.options(std))
		ran = f.each(ctx, scripts, std, func(s *script.Script, res *analyze.Result) error {
			for _, c := range res.Connections {
				c.Scenario = s.Name
				if err := stream.Connection(c); err != nil {
					return err
				}
			}
			return nil
		})
		return stream.Finish(&analyze.Result{})
	})
	return errors.Join(shown, ran)
}

// each runs the scenarios, and goes on after one whose expectations were not met.
func (f *runFlags) each(ctx context.Context, scripts []*script.Script, std streams, show func(*script.Script, *analyze.Result) error) error {
	var failed error
	for _, s := range scripts {
		err := f.one(ctx, s, std, show)
		var exit exitError
		if err != nil && !errors.As(err, &exit) {
			return err
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// wantsPrivate reports whether the scripts need a namespace of their own: to change
// sysctls, because capturing is not allowed here, or because it will not be once the first
// of several has opened its capture and dropped sudo's privileges.
func (f *runFlags) wantsPrivate(scripts []*script.Script) bool {
	if f.private || !kernel.HasNetRaw() || len(scripts) > 1 && kernel.MayDrop() {
		return true
	}
	for _, s := range scripts {
		if s.NeedsPrivate {
			return true
		}
	}
	return false
}

// load finds the scenarios: built-in ones by name, others by their file's name.
func load(args []string) ([]*script.Script, error) {
	var scripts []*script.Script
	for _, arg := range args {
		if !strings.ContainsAny(arg, "./") {
			s, err := script.Lookup(arg)
			if err != nil {
				return nil, usageError{hint.With(err, "closecap list shows them; a file is named with a / or a dot")}
			}
			scripts = append(scripts, s)
			continue
		}
		src, err := os.ReadFile(arg)
		if err != nil {
			return nil, misused("read script: %w", err)
		}
		s, err := script.Parse(arg, src)
		if err != nil {
			return nil, usageError{err}
		}
		scripts = append(scripts, s)
	}
	return scripts, nil
}

// one runs a scenario and shows what came of it, also when it did not come to its end.
func (f *runFlags) one(ctx context.Context, s *script.Script, std streams, show func(*script.Script, *analyze.Result) error) error {
	opt := f.how.options()
	opt.Port, opt.Endings = f.port, f.endings
	rec, runErr := lab.Run(ctx, s, opt)
	if rec == nil || len(rec.Calls) == 0 {
		return runErr
	}
	rec.Run.Tool = "closecap " + version
	res := f.join(rec)
	kept := f.keep(rec, res)
	if err := errors.Join(kept, show(s, res), runErr); err != nil {
		return err
	}
	if !met(res) {
		return exitError(exitFailed)
	}
	return nil
}

// met reports whether every expectation was met; those that were not stand in the report.
func met(res *analyze.Result) bool {
	for _, e := range res.Expectations {
		if !e.OK {
			return false
		}
	}
	return true
}

func completeScenarios(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, s := range script.Builtin() {
		names = append(names, s.Name+"\t"+s.Title)
	}
	return names, cobra.ShellCompDirectiveDefault
}
