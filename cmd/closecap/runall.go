package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/schollz/progressbar/v3"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/join"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/lab"
	"github.com/closecap/closecap/capture/lab/script"
)

// perCPU is how many scenarios run at a time for each processor. Most of a run's time is
// waiting for the kernel's timers.
const perCPU = 4

// runAll runs many scenarios, those that args name or all, and shows one row for each.
func (f *runFlags) runAll(ctx context.Context, args []string, format report.Format, std streams) error {
	if known := report.CatalogueFormats(); !slices.Contains(known, format) {
		return misused("run --all --format %s: want %s", format, report.Or(known))
	}
	for flag, used := range map[string]bool{"--save": f.save != "", "--html": f.html != "", "--port": f.port != 0,
		"--evidence": f.evidence != byAuto} {
		if used {
			return misused("run --all: %s is for a single scenario", flag)
		}
	}
	if err := f.ready(); err != nil {
		return err
	}
	if len(args) == 0 {
		for _, s := range script.Builtin() {
			args = append(args, s.Name)
		}
	}
	scripts, err := load(args)
	if err != nil {
		return err
	}
	c := &analyze.Catalogue{Schema: analyze.Schema, Tool: "closecap " + version}
	if kernel.InPrivate() {
		f.allHere(ctx, c, scripts, nil)
	} else if err := f.allApart(ctx, c, scripts, args, std); err != nil {
		return err
	}
	if err := kernel.DropPrivileges(); err != nil {
		return err
	}
	err = f.report(std, func(w io.Writer) error {
		return report.WriteCatalogue(w, format, c, f.options(std))
	})
	if err != nil {
		return err
	}
	return exitOrNil(catalogueExit(c))
}

// catalogueExit is 1 where a scenario failed or none could be run.
func catalogueExit(c *analyze.Catalogue) int {
	ran := 0
	for i := range c.Scenarios {
		o := &c.Scenarios[i]
		if o.Cannot == "" {
			ran++
		}
		if o.Cannot == "" && !o.OK() {
			return exitFailed
		}
	}
	if ran == 0 {
		return exitFailed
	}
	return exitDone
}

// allApart runs each scenario in a private namespace of its own, several at a time.
func (f *runFlags) allApart(ctx context.Context, c *analyze.Catalogue, scripts []*script.Script, args []string, std streams) error {
	parts := make([]*analyze.Catalogue, len(scripts))
	errs := make([]error, len(scripts))
	free := make(chan struct{}, perCPU*runtime.GOMAXPROCS(0))
	bar := scenarioBar(len(scripts), std.err)
	var group sync.WaitGroup
	for i := range scripts {
		select {
		case <-ctx.Done():
		case free <- struct{}{}:
			group.Go(func() {
				parts[i], errs[i] = f.outlineApart(args[i])
				bar()
				<-free
			})
		}
	}
	group.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("run --all: %w", context.Cause(ctx))
	}
	for i, s := range scripts {
		switch {
		case errs[i] == nil:
			c.Kernel = parts[i].Kernel
			c.Scenarios = append(c.Scenarios, parts[i].Scenarios...)
		case kernel.HasNetRaw(): // no private namespace, but capturing works without one
			f.allHere(ctx, c, scripts[i:i+1], errs[i])
		case errors.Is(errs[i], errNoCatalogue):
			c.Scenarios = append(c.Scenarios, analyze.Outline{Scenario: s.Name, Title: s.Title, Failed: errs[i].Error()})
		default:
			return errs[i]
		}
	}
	return nil
}

// scenarioBar shows on a terminal how many of n scenarios have ended; the function counts one.
func scenarioBar(n int, w io.Writer) (ended func()) {
	if _, terminal := isTerminal(w); !terminal {
		return func() {}
	}
	bar := progressbar.NewOptions(n,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription("scenarios"),
		progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish())
	return func() { _ = bar.Add(1) }
}

// errNoCatalogue is the error of a run in a private namespace that said nothing of use.
var errNoCatalogue = errors.New("the run in the private namespace ended early")

// outlineApart lets this program run one scenario in a private namespace.
func (f *runFlags) outlineApart(arg string) (*analyze.Catalogue, error) {
	var out, msg bytes.Buffer
	_, err := kernel.ReexecPrivate(kernel.PrivateOptions{
		Args: f.how.apart(arg, "run", "--all"), Stdout: &out, Stderr: &msg,
	})
	if err != nil {
		return nil, err
	}
	c := new(analyze.Catalogue)
	if err := json.Unmarshal(out.Bytes(), c); err != nil || len(c.Scenarios) != 1 {
		return nil, fmt.Errorf("%w: %s", errNoCatalogue, strings.TrimSpace(msg.String()))
	}
	return c, nil
}

// allHere runs the scenarios in the namespace that this process is in, one after the other.
// refused is why there is no private one, nil where this is one.
func (f *runFlags) allHere(ctx context.Context, c *analyze.Catalogue, scripts []*script.Script, refused error) {
	down := kernel.RaiseLoopback()
	for _, s := range scripts {
		o := analyze.Outline{Scenario: s.Name, Title: s.Title}
		switch {
		case down != nil:
			o.Cannot = reason(down)
		case refused != nil && s.NeedsPrivate:
			o.Cannot = reason(fmt.Errorf("it needs a private network namespace: %w", refused))
		default:
			f.outline(ctx, c, s, &o)
		}
		c.Scenarios = append(c.Scenarios, o)
	}
}

// outline runs one scenario and writes down in short what came of it.
func (f *runFlags) outline(ctx context.Context, c *analyze.Catalogue, s *script.Script, o *analyze.Outline) {
	rec, err := lab.Run(ctx, s, f.how.options())
	if rec != nil && len(rec.Calls) > 0 {
		res := join.Join(rec, analyze.Options{})
		o.Fill(res)
		c.Kernel = res.Kernel
	}
	switch {
	case err == nil:
	case lacking(err):
		*o = analyze.Outline{Scenario: o.Scenario, Title: o.Title, Cannot: reason(err)}
	default:
		o.Failed = reason(err)
	}
}

// lacking reports whether a run failed for what the system lacks or forbids.
func lacking(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) ||
		errors.Is(err, syscall.ENOPROTOOPT) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// reason is an error with its hint, in one line.
func reason(err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if help := hint.Of(err); help != "" {
		text += " (" + help + ")"
	}
	return text
}
