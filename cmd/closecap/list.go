package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/lab/script"
)

func newList(std streams) *cobra.Command {
	o := output{format: string(report.Table)}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the scenarios",
		Args:  argCount(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if _, err := o.check(); err != nil {
				return err
			}
			return o.report(std, func(w io.Writer) error {
				var entries []report.Entry
				for _, s := range script.Builtin() {
					entries = append(entries, report.Entry{Name: s.Name, About: s.Title})
				}
				return report.WriteIndex(w, entries, o.options(std))
			})
		},
	}
	o.textFlags(cmd.Flags())
	return cmd
}

func newShow(std streams) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:               "show SCENARIO",
		Short:             "Print a scenario's script, a start for your own",
		Example:           "  closecap show shutdown-wr > mine.close",
		Args:              argCount(cobra.ExactArgs(1)),
		ValidArgsFunction: completeScenarios,
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := script.Lookup(args[0])
			if err != nil {
				return usageError{hint.With(err, "closecap list shows them")}
			}
			return writeReport(file, std, func(w io.Writer) error {
				_, err := w.Write(s.Source)
				return err
			})
		},
	}
	outputFlag(cmd.Flags(), &file, "write the script to this `file` (default: standard output)")
	return cmd
}
