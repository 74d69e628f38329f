package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze/expect"
	"github.com/closecap/closecap/analyze/report"
)

// checkFlags are the flags of closecap check.
type checkFlags struct {
	input
	rules     []expect.Rule // of the command line, in its order
	files     []string
	where     []expect.Pick
	format    string
	outFile   string
	allowNone bool
	allowLost bool
}

func newCheck(std streams) *cobra.Command {
	var f checkFlags
	names, abouts := report.CheckFormats()
	cmd := &cobra.Command{
		Use:   "check FILE|FOLDER... | --point NAME=FILE...",
		Short: "Hold the connections of a capture to rules, for tests and health checks",
		Long: `Hold the connections of captures and recordings to rules about how they ended.

A rule is --expect CONDITION (of each connection), --none CONDITION (of no connection) or
--some CONDITION (of at least one), or a line "expect CONDITION" and so on of a file
(--rules). CONDITION is what scripts expect of a connection:

  ` + strings.Join(expect.Conditions(), "\n  ") + `

Several are joined by "or". Behind "where" stand those that pick the connections of one rule,
joined by "and"; --port, --ending and so on pick those of every rule.

FILE is what analyze reads, or the JSON or NDJSON that analyze, run, trace and watch write;
"-" is standard input.

The exit status is 0 where all rules hold, 1 where one does not, 3 where that could not be
decided: what the evidence does not say is no pass, nor is a rule that picks no connection
(--allow-none), nor is a capture that lost packets (--allow-lost) or can't be read to its
end. 2 is a command line or a file of rules that can't be meant.`,
		Example: "  closecap check test.pcapng --port 8080 --expect 'ending graceful' --expect 'closer client' --none 'lost bytes'\n" +
			"  closecap check test.pcapng --rules teardown.rules --format junit -o closecap.xml\n" +
			"  closecap trace --format ndjson -o t.ndjson -- ./test && closecap check t.ndjson --none 'reset unread-data'\n" +
			"  sudo closecap watch --for 30s --format ndjson | closecap check - --none 'lost bytes' --allow-none",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), args, std)
		},
	}
	f.input.flags(cmd)
	fl := cmd.Flags()
	for _, q := range expect.Quantities() {
		fl.Var(ruleFlag{&f.rules, q}, q, map[string]string{
			"expect": "each connection is to be so", "none": "no connection may be so", "some": "at least one connection is to be so",
		}[q])
		completeFlag(cmd, q, conditions())
	}
	fl.StringArrayVar(&f.files, "rules", nil, "rules of this file, one a line, # begins a comment")
	f.pickFlags(cmd)
	fl.StringVar(&f.format, "format", names[0], strings.Join(names[:len(names)-1], ", ")+" or "+names[len(names)-1])
	words := make([]cobra.Completion, len(names))
	for i := range names {
		words[i] = cobra.CompletionWithDesc(names[i], abouts[i])
	}
	completeFlag(cmd, "format", words)
	jsonFlag(fl, &f.format)
	outputFlag(fl, &f.outFile, "write the report to this `file` (default: standard output)")
	fl.BoolVar(&f.allowNone, "allow-none", false, "a rule that picks no connection holds")
	fl.BoolVar(&f.allowLost, "allow-lost", false, "rules may hold though the capture lost packets or the kernel events")
	return cmd
}

// pickFlags are analyze's, as conditions of every rule.
func (f *checkFlags) pickFlags(cmd *cobra.Command) {
	fl := cmd.Flags()
	for _, p := range []struct{ name, usage string }{
		{"conn", "only this connection"},
		{"ending", "only connections that ended so: graceful, reset, half-closed..."},
		{"cause", "only resets of this cause: unread-data, data-after-close..."},
		{"closer", "only connections closed first by client, server or both"},
		{"host", "only connections of this address or network"},
		{"port", "only connections of this port"},
		{"min-half-close", "only connections half-closed for at least this long"},
	} {
		fl.Var(pickFlag{&f.where, p.name}, p.name, p.usage)
	}
	for _, w := range endingFlags(new(string), new(string), new(string)) {
		completeFlag(cmd, w.name, w.words)
	}
}

// conditions are the words that a condition begins with, as completions.
func conditions() []cobra.Completion {
	var all []cobra.Completion
	for _, usage := range expect.Conditions() {
		subject, _, _ := strings.Cut(usage, " ")
		all = append(all, cobra.CompletionWithDesc(subject, usage))
	}
	return all
}

// ruleFlag adds rules as they are given. It is a pflag.Value, since the order is one of all three flags.
type ruleFlag struct {
	rules    *[]expect.Rule
	quantity string
}

func (r ruleFlag) String() string { return "" }
func (r ruleFlag) Type() string   { return "condition" }
func (r ruleFlag) Set(text string) error {
	rule, err := expect.ParseRule(r.quantity + " " + text)
	*r.rules = append(*r.rules, rule)
	return err
}

// pickFlag adds a condition to those of every rule.
type pickFlag struct {
	where   *[]expect.Pick
	subject string
}

func (p pickFlag) String() string { return "" }
func (p pickFlag) Type() string   { return "string" }
func (p pickFlag) Set(text string) error {
	pick, err := expect.ParsePick(p.subject, text)
	*p.where = append(*p.where, pick)
	return err
}

func (f *checkFlags) run(ctx context.Context, args []string, std streams) error {
	write, err := report.CheckWriter(f.format)
	if err != nil {
		return usageError{err}
	}
	if err := errors.Join(f.bounds(), f.named("check", args)); err != nil {
		return err
	}
	rules, err := f.allRules()
	if err != nil {
		return err
	}
	check := expect.NewCheck(rules)
	e := evidence{input: &f.input, segments: check.Segments(), none: f.allowNone}
	readErr := e.read(ctx, "check", args, std, check.Connection)
	if usage := (usageError{}); errors.As(readErr, &usage) {
		return readErr
	}
	allow := expect.Allow{None: f.allowNone, Gaps: f.allowLost}
	if readErr == nil && ctx.Err() != nil {
		readErr = fmt.Errorf("check: %w", context.Cause(ctx))
	}
	if readErr != nil {
		e.gap, allow.Gaps = strings.ReplaceAll(readErr.Error(), "\n", "; "), false
	}
	res := check.Result(e.gap, allow)
	res.Tool, res.Source, res.Warnings = "closecap "+version, e.source, append(res.Warnings, e.warnings...)
	opt := (&output{outFile: f.outFile}).options(std)
	if err := writeReport(f.outFile, std, func(w io.Writer) error { return write(w, res, opt) }); err != nil {
		return err
	}
	return f.exit(res, readErr)
}

func (f *checkFlags) exit(res *expect.Checked, readErr error) error {
	code := map[expect.Judgement]int{expect.Held: exitDone, expect.NotHeld: exitFailed, expect.Undecided: exitUndecided}[res.Judgement]
	if readErr != nil {
		return statusError{readErr, code}
	}
	return exitOrNil(code)
}

// allRules are those of files and of the command line, each with what picks for all.
func (f *checkFlags) allRules() ([]expect.Rule, error) {
	var all []expect.Rule
	for _, name := range f.files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, misused("read rules: %w", err)
		}
		rules, err := expect.ParseRules(name, string(text))
		if err != nil {
			return nil, usageError{err}
		}
		all = append(all, rules...)
	}
	all = append(all, f.rules...)
	if len(all) == 0 {
		return nil, misused("check: want a rule: --expect, --none, --some or --rules")
	}
	for i := range all {
		all[i].Where(f.where...)
	}
	return all, nil
}
