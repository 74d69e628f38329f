package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze/diff"
	"github.com/closecap/closecap/analyze/report"
)

// exitTrouble is diff's exit code where it could not compare.
const exitTrouble = 2

// diffFlags are the flags of closecap diff.
type diffFlags struct {
	input
	lists   []string
	opt     diff.Options
	format  string
	outFile string
}

func newDiff(std streams) *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff A B | --files-from A --files-from B",
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
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), args, std)
		},
	}
	f.readFlags(cmd)
	fl := cmd.Flags()
	fl.StringArrayVar(&f.lists, "files-from", nil, "compare the files that this file names, one a line, with those of another: given twice, instead of A and B")
	fl.StringArrayVar(&f.input.points, "point", nil, "what was captured at one of several points, in either folder: NAME=FILE, or NAME=PATTERN")
	fl.Float64Var(&f.opt.Tolerance, "tolerance", 0, "percentage points by which a share may differ and be the same")
	fl.BoolVar(&f.opt.Together, "together", false, "all services as one, where ports are chosen anew each time")
	fl.StringVar(&f.format, "format", "text", "text or json")
	jsonFlag(fl, &f.format)
	outputFlag(fl, &f.outFile, "write the report to this `file` (default: standard output)")
	completeFlag(cmd, "format", []cobra.Completion{"text\tfor people", "json\tone document"})
	return cmd
}

// diffSide is one of the two that are compared.
type diffSide struct {
	input input
	args  []string
	name  string
}

// sides are the two that args and flags name.
func (f *diffFlags) sides(args []string) (sides [2]diffSide, err error) {
	names := append(args[:len(args):len(args)], f.lists...)
	switch {
	case len(names) != 2 || len(args) == 1:
		return sides, misused("diff: want two captures to compare, A B, or two lists of them, --files-from A --files-from B")
	case names[0] == "-" && names[1] == "-":
		return sides, misused("diff - -: standard input can be read only once")
	case len(f.lists) > 0 && len(f.points) > 0:
		return sides, misused("diff: --files-from and --point: name each point's files, --point NAME=PATTERN")
	}
	for i, name := range names {
		s := diffSide{input: f.input, name: name, args: []string{name}}
		switch {
		case len(f.lists) > 0:
			s.input.filesFrom, s.args = name, nil
		case len(f.points) > 0:
			if info, err := os.Stat(name); err != nil || !info.IsDir() {
				return sides, misused("diff --point: %s is no folder, in which points' files are looked for", name)
			}
			s.input.points, s.args = nil, nil
			for _, p := range f.points {
				point, pattern, _ := strings.Cut(p, "=")
				s.input.points = append(s.input.points, point+"="+filepath.Join(name, pattern))
			}
		}
		sides[i] = s
	}
	return sides, nil
}

func (f *diffFlags) run(ctx context.Context, args []string, std streams) error {
	write := map[string]func(io.Writer, *diff.Difference) error{"text": report.WriteDiff, "json": report.WriteDiffJSON}[f.format]
	switch {
	case write == nil:
		return misused("diff --format %s: want text or json", f.format)
	case !(f.opt.Tolerance >= 0 && f.opt.Tolerance <= 100):
		return misused("--tolerance %v: want percentage points from 0 to 100", f.opt.Tolerance)
	}
	if err := f.bounds(); err != nil {
		return err
	}
	sides, err := f.sides(args)
	if err != nil {
		return err
	}
	var sums [2]*diff.Sum
	var captures [2]diff.Compared
	for i, side := range sides {
		sums[i] = diff.NewSum(f.opt)
		e := evidence{input: &side.input}
		err := e.read(ctx, "diff", side.args, std, sums[i].Connection)
		if err == nil && ctx.Err() != nil {
			err = fmt.Errorf("diff: %w", context.Cause(ctx))
		}
		if err != nil {
			return statusError{err, exitTrouble}
		}
		captures[i] = diff.Compared{Source: side.name, Gap: e.gap, Warnings: append([]string{}, e.warnings...)}
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
