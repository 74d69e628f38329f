package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/kernel"
)

// linked is the version that make has the linker set.
var linked string

// version is what this program calls itself, in its output and in what it records.
var version = cmp.Or(linked, builtVersion(debug.ReadBuildInfo()))

// builtVersion returns the version that the go command noted: `go install` at a version does, and
// a build in a checkout unless -buildvcs=false.
func builtVersion(info *debug.BuildInfo, ok bool) string {
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}

// streams are what a command reads and writes.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer

	noPager *bool      // set by --no-pager; nil is that, too
	narrow  *sync.Once // a width that is too small is told once
}

// usageError is a command line that can't be meant.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func misused(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// statusError is an error with an exit code of its own.
type statusError struct {
	error
	code int
}

func (s statusError) Unwrap() error { return s.error }

// exitError ends the program with a code; everything has been said already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// run is the program: args are what follows its name. It returns the exit code.
func run(ctx context.Context, args []string, std streams) int {
	root := newRoot(std)
	root.SetArgs(args)
	return exitCode(withCause(ctx, root.ExecuteContext(ctx)), std.err)
}

func exitCode(err error, stderr io.Writer) int {
	var exit exitError
	var usage usageError
	var status statusError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &exit):
		return int(exit)
	case errors.Is(err, errPagerLeft):
		return exitDone
	case readerLeft(err):
		return exitFailed
	}
	fmt.Fprintf(stderr, "closecap: %s\n", lines(err.Error()))
	help := hint.Of(err)
	if help == "" && errors.Is(err, syscall.EMFILE) {
		help = "raise the limit of open files: ulimit -n 256"
	}
	if help != "" {
		fmt.Fprintf(stderr, "closecap: hint: %s\n", lines(help))
	}
	switch {
	case errors.As(err, &usage):
		return exitMisused
	case errors.As(err, &status):
		return status.code
	case errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	}
	return exitFailed
}

// lines puts every line of a message behind the program's name. Names of files and flags
// stand in messages, so what could drive a terminal is made visible.
func lines(msg string) string {
	all := strings.Split(msg, "\n")
	for i := range all {
		all[i] = report.Safe(all[i])
	}
	return strings.Join(all, "\nclosecap: ")
}

// readerLeft reports whether err is only that nobody reads the results any more, as under
// `closecap analyze … | head`.
func readerLeft(err error) bool {
	var path *fs.PathError
	return errors.Is(err, syscall.EPIPE) && errors.As(err, &path) && path.Path == os.Stdout.Name()
}

func newRoot(std streams) *cobra.Command {
	root := &cobra.Command{
		Use:                        "closecap",
		Short:                      "Who ended this TCP connection, and why",
		Long:                       rootLong,
		Version:                    version,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args:                       noSuchCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	std.noPager, std.narrow = root.PersistentFlags().Bool("no-pager", false, "write a long text to the terminal at once, not through $PAGER"), new(sync.Once)
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	root.SetVersionTemplate("closecap {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{flagError(cmd, err)} })
	capturing := []*cobra.Command{newRun(std), newTrace(std), newWatch(std), newCompare(std), newExplain(std)}
	root.AddCommand(capturing...)
	ps := newPs(std)
	root.AddCommand(ps, newList(std), newShow(std), newAnalyze(std), newCheck(std), newDiff(std))
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case cmd == ps:
			return kernel.KeepLook()
		case slices.Contains(capturing, cmd):
			return kernel.DropLook()
		}
		return kernel.DropPrivileges()
	}
	return root
}

func noSuchCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		return misused("unknown command %q: did you mean %q?", args[0], near[0])
	}
	return misused("unknown command %q (closecap --help lists them)", args[0])
}

const rootLong = `closecap shows how TCP connections end, and why. It joins the application's calls,
the packets on the wire and the kernel's states, and prints which call caused which
packet.

  closecap run shutdown-wr      run a scenario and capture it
  closecap analyze FILE         the same question for a saved capture
  closecap check FILE           hold its connections to rules, for tests
  closecap diff A B             what changed in how they end, from one to the other
  closecap watch                who ends connections on this machine, now
  closecap ps                   the sockets that are ending or stuck now
  closecap list                 the scenarios`

// argCount wraps cobra's own check so that a wrong count is misuse.
func argCount(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{hint.With(fmt.Errorf("%s: %w", cmd.Name(), err), "usage: "+cmd.UseLine())}
		}
		return nil
	}
}

// isTerminal reports whether w is a terminal, and how wide.
func isTerminal(w io.Writer) (columns int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile {
		return 0, false
	}
	return terminalWidth(int(f.Fd()))
}
