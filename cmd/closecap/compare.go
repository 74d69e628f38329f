package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/compare"
	"github.com/closecap/closecap/analyze/join"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/lab"
	"github.com/closecap/closecap/capture/lab/script"
)

// compareDefault is what is compared when no scenario is named: the ways to end one's side.
var compareDefault = []string{
	"close", "shutdown-wr", "shutdown-rd", "shutdown-rdwr", "linger-zero", "fork-close",
}

// compareFlags are the flags of closecap compare.
type compareFlags struct {
	output
	how  scenarioFlags
	runs bool
}

func newCompare(std streams) *cobra.Command {
	var f compareFlags
	cmd := &cobra.Command{
		Use:   "compare [SCENARIO|FILE.close...]",
		Short: "Ask several ways of closing the same questions, and measure the answers",
		Long: `Ask several scenarios the same questions and measure the answers here and now: what the
closing call sent, who can still send and receive, what the peer's calls return, what is lost.

Each scenario runs as it is written, and then in variations that go on differently after its
first closing call: the peer stays quiet, the peer sends, data is on its way, another process
holds the socket. An answer names the run and the call or frame that it comes from
("send#14"); --runs shows the runs themselves.

Without names: ` + strings.Join(compareDefault, ", ") + ".",
		Example: "  closecap compare\n  closecap compare close shutdown-wr --runs\n" +
			"  closecap compare close ./mine.close --format markdown",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), args, std)
		},
		ValidArgsFunction: completeScenarios,
	}
	f.flags(cmd.Flags())
	f.pageFlag(cmd.Flags())
	cmd.Flags().Lookup("format").Usage = report.Or(report.ComparisonFormats())
	completeFormats(cmd, report.ComparisonFormats())
	f.how.flags(cmd.Flags())
	cmd.Flags().BoolVar(&f.runs, "runs", false, "show every run under the comparison")
	return cmd
}

func (f *compareFlags) run(ctx context.Context, args []string, std streams) error {
	format, err := f.check()
	if err != nil {
		return err
	}
	if known := report.ComparisonFormats(); !slices.Contains(known, format) {
		return misused("compare --format %s: want %s", format, report.Or(known))
	}
	if err := f.how.possible(); err != nil {
		return err
	}
	if err := ready(f.outFile, f.html); err != nil {
		return err
	}
	if len(args) == 0 {
		args = compareDefault
	}
	scripts, err := load(args)
	if err != nil {
		return err
	}
	var c *compare.Comparison
	if !kernel.InPrivate() {
		c, err = f.apart(args, std)
	}
	if kernel.InPrivate() || hereInstead(err) {
		c, err = f.here(ctx, scripts)
	}
	if err = errors.Join(err, kernel.DropPrivileges()); err != nil {
		return err
	}
	if f.html != "" {
		err = replace(f.html, func(w io.Writer) error {
			return report.WriteComparison(w, report.HTML, c, f.runs, report.Options{})
		})
		if err != nil {
			return fmt.Errorf("save page: %w", err)
		}
	}
	return f.report(std, func(w io.Writer) error {
		return report.WriteComparison(w, format, c, f.runs, f.options(std))
	})
}

// atOnce is how many scenarios are compared at a time. A run mostly waits for its capture.
const atOnce = 6

// apart compares each scenario in a private namespace of its own, several at a time: there
// nothing else is on the loopback, and the kernel's counters count only the run.
func (f *compareFlags) apart(args []string, std streams) (*compare.Comparison, error) {
	parts := make([]*compare.Comparison, len(args))
	errs := make([]error, len(args))
	free := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for i, arg := range args {
		free <- struct{}{}
		group.Go(func() {
			parts[i], errs[i] = f.elsewhere(arg, std)
			<-free
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, p := range parts[1:] {
		parts[0].Append(p)
	}
	return parts[0], nil
}

// hereInstead reports whether a private namespace was refused where capturing is allowed
// without one, as to root in most containers.
func hereInstead(err error) bool {
	var exit exitError
	return err != nil && !errors.As(err, &exit) && kernel.HasNetRaw()
}

// elsewhere lets this program compare one scenario in a private namespace.
func (f *compareFlags) elsewhere(arg string, std streams) (*compare.Comparison, error) {
	var out bytes.Buffer
	code, err := kernel.ReexecPrivate(kernel.PrivateOptions{
		Args: f.how.apart(arg, "compare"), Stdout: &out, Stderr: std.err,
	})
	if err != nil {
		return nil, err
	}
	if code != exitDone {
		return nil, exitError(code)
	}
	c := new(compare.Comparison)
	if err := json.Unmarshal(out.Bytes(), c); err != nil {
		return nil, fmt.Errorf("compare %s: read its answers: %w", arg, err)
	}
	return c, nil
}

// here compares the scenarios in the namespace that this process is in, one after the other.
func (f *compareFlags) here(ctx context.Context, scripts []*script.Script) (*compare.Comparison, error) {
	if err := kernel.RaiseLoopback(); err != nil {
		return nil, err
	}
	var candidates []compare.Candidate
	for _, s := range scripts {
		c, err := f.candidate(ctx, s)
		if err != nil {
			return nil, err
		}
		candidates = append(candidates, c)
	}
	return compare.Scenarios(candidates), nil
}

// candidate runs the scenario and its variations.
func (f *compareFlags) candidate(ctx context.Context, s *script.Script) (compare.Candidate, error) {
	c := compare.Candidate{Subject: compare.Subject{Name: s.Name, Title: s.Title}, Advice: adviceOf(s)}
	base, err := f.one(ctx, s, compare.ScenarioRun, "the scenario as it is written")
	c.Runs = append(c.Runs, base)
	if err != nil {
		return c, err
	}
	closing := analyze.ClosingCall(base.Result)
	if closing == nil {
		return c, nil
	}
	ends := endsOf(s, base.Result, closing)
	if ends.This == "" || ends.Peer == "" {
		return c, nil // nobody ever held the other end: there is no one to ask
	}
	for _, p := range compare.Probes(ends) {
		v, err := s.Variation(s.Name+"+"+p.Name, closing.At, p.Before, p.After)
		if err != nil {
			c.Runs = append(c.Runs, compare.Run{Name: p.Name, About: p.About, Failed: err.Error()})
			continue
		}
		r, err := f.one(ctx, v, p.Name, p.About)
		c.Runs = append(c.Runs, r)
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// adviceOf is when to use the scenario's way, or else what it wants remembered.
func adviceOf(s *script.Script) string {
	if s.Use != "" {
		return s.Use
	}
	return strings.Join(s.Remember, " ")
}

// endsOf finds the words by which the script calls the ends of the connection in question.
func endsOf(s *script.Script, res *analyze.Result, closing *analyze.Call) compare.Ends {
	e := compare.Ends{
		This: s.Target(closing.At, closing.Actor),
		Gone: closing.EndsProcess(),
	}
	if open := analyze.Opening(res, closing.Connection, closing.Side.Other()); open != nil {
		e.Peer = s.Target(open.At, open.Actor)
	}
	open := analyze.Opening(res, closing.Connection, closing.Side)
	if wholeProcess := e.Gone || closing.Name == "exec"; wholeProcess && open != nil {
		e.This = s.Target(open.At, open.Actor)
	}
	_, socket, named := strings.Cut(e.This, ":")
	for _, h := range closing.Holders {
		if h.PID != closing.PID && h.Actor != "" {
			word := h.Actor
			if named {
				word += ":" + socket
			}
			e.Holders = append(e.Holders, word)
		}
	}
	return e
}

// one runs a script. A run that did not come to its end still says what it saw.
func (f *compareFlags) one(ctx context.Context, s *script.Script, name, about string) (compare.Run, error) {
	r := compare.Run{Name: name, About: about, Script: string(s.Source)}
	rec, err := lab.Run(ctx, s, f.how.options())
	if rec == nil || len(rec.Calls) == 0 {
		return r, errors.Join(err, ctx.Err())
	}
	rec.Run.Tool = "closecap " + version
	r.Result = join.Join(rec, analyze.Options{})
	if err != nil {
		r.Failed = err.Error()
	}
	return r, nil
}
