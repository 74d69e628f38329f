// Command closecap-fleet is closecap analyze for more captures than one machine reads: the same verdicts,
// reached by Apache Beam in this process or on a cluster. It also makes Parquet of closecap's NDJSON.
//
// It is a module of its own, so that closecap has nothing of what this needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/hint"
)

// linked is the version that make builds.
var linked = "devel"

// Exit codes, as closecap's.
const (
	exitDone    = 0
	exitFailed  = 1 // a file unreadable or damaged, what was read is written; or nothing could be
	exitMisused = 2
)

// streams are the program's.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// usageError is an error of who called the program.
type usageError struct{ error }

func misused(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	if slices.ContainsFunc(os.Args[1:], func(a string) bool { return a == "--worker" || a == "--worker=true" }) {
		flag.Parse() // a cluster's runner has started this program as a worker
		beam.Init()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

func run(ctx context.Context, args []string, std streams) int {
	var verbose bool
	root := &cobra.Command{
		Use: "closecap-fleet", Short: "Who ended these TCP connections, and why, in captures of many machines",
		Version: linked, SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) {
			level := "warn"
			if verbose {
				level = "info"
			}
			log.SetupLogging(level, "text")
		},
	}
	root.PersistentFlags().BoolVar(&verbose, "verbose", false, "what the runner says of its work, too")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newAnalyze(std), newJoin(std), newParquet(std))
	root.SetArgs(args)
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(std.err, "closecap-fleet: %s\n", report.Safe(line))
	}
	if h := hint.Of(err); h != "" {
		fmt.Fprintf(std.err, "closecap-fleet: hint: %s\n", report.Safe(h))
	}
	if usage := (usageError{}); errors.As(err, &usage) {
		return exitMisused
	}
	return exitFailed
}
