package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze/diff"
	"github.com/closecap/closecap/analyze/report"
)

// exitTrouble is diff's exit code where it could not compare.
const exitTrouble = 2

// diffFlags are the flags of closecap diff.
type diffFlags struct {
	input
	opt     diff.Options
	format  string
	outFile string
}

func newDiff(std streams) *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "What changed in how connections end between two captures",
		Long: `Compare two captures or recordings, as before and after a release: what changed in how
their connections ended, by service (the server's port), with a connection that shows each
change and why that one ended so.

Shares are compared: of a service's connections, how many ended so, were closed first by
whom, were half-closed, were reset for what cause, lost bytes of what kind. A and B are what
check reads; "-" is standard input. A service that only one of them has is a change.

The exit status is that of diff(1): 0 where nothing changed, 1 where something did, 2 where
the two could not be compared.`,
		Example: "  closecap diff before.pcapng after.pcapng\n  closecap diff --tolerance 1 monday.ndjson tuesday.ndjson\n  closecap diff --together --format json a.pcap b.pcap",
		Args:    argCount(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), args, std)
		},
	}
	f.readFlags(cmd)
	fl := cmd.Flags()
	fl.Float64Var(&f.opt.Tolerance, "tolerance", 0, "percentage points by which a share may differ and be the same")
	fl.BoolVar(&f.opt.Together, "together", false, "all services as one, where ports are chosen anew each time")
	fl.StringVar(&f.format, "format", "text", "text or json")
	jsonFlag(fl, &f.format)
	fl.StringVarP(&f.outFile, "output", "o", "", "write the report to this file (default: standard output)")
	completeFlag(cmd, "format", []cobra.Completion{"text\tfor people", "json\tone document"})
	return cmd
}

func (f *diffFlags) run(ctx context.Context, args []string, std streams) error {
	write := map[string]func(io.Writer, *diff.Difference) error{"text": report.WriteDiff, "json": report.WriteDiffJSON}[f.format]
	switch {
	case write == nil:
		return misused("diff --format %s: want text or json", f.format)
	case !(f.opt.Tolerance >= 0 && f.opt.Tolerance <= 100):
		return misused("--tolerance %v: want percentage points from 0 to 100", f.opt.Tolerance)
	case args[0] == "-" && args[1] == "-":
		return misused("diff - -: standard input can be read only once")
	}
	if err := f.bounds(); err != nil {
		return err
	}
	var sums [2]*diff.Sum
	var captures [2]diff.Compared
	for i, name := range args {
		sums[i] = diff.NewSum(f.opt)
		e := evidence{input: &f.input}
		err := e.read(ctx, []string{name}, std, sums[i].Connection)
		if err == nil && ctx.Err() != nil {
			err = fmt.Errorf("diff: %w", context.Cause(ctx))
		}
		if err != nil {
			return statusError{err, exitTrouble}
		}
		captures[i] = diff.Compared{Source: name, Gap: e.gap, Warnings: append([]string{}, e.warnings...)}
	}
	d := diff.Compare(sums[0], sums[1], f.opt)
	d.Tool = "closecap " + version
	captures[0].Connections, captures[1].Connections = d.A.Connections, d.B.Connections
	d.A, d.B = captures[0], captures[1]
	if err := writeReport(f.outFile, std, func(w io.Writer) error { return write(w, d) }); err != nil {
		return statusError{err, exitTrouble}
	}
	if !d.Same {
		return exitError(exitFailed)
	}
	return nil
}
