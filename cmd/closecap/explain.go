package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/explain"
	"github.com/closecap/closecap/analyze/join"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/analyze/suggest"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/lab"
	"github.com/closecap/closecap/capture/lab/script"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/pcaps"
)

// explainFlags are the flags of closecap explain.
type explainFlags struct {
	output
	run  bool
	more bool
}

func newExplain(std streams) *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain [TOPIC]",
		Short: "How TCP connections end on Linux, with the authority and measured evidence",
		Long: `Explain one subject on a screen: what Linux does. With --more also the rest of the text, by
what authority, and the calls of a recording that show it; with --run the scenarios run here
and now instead. Without a topic: the list of them.`,
		Example: "  closecap explain half-close\n  closecap explain half-close --more\n  closecap explain reset --run\n  closecap explain words --more",
		Args:    argCount(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return f.listTopics(std)
			}
			return f.explain(cmd.Context(), args[0], std)
		},
		ValidArgsFunction: completeTopics,
	}
	cmd.Flags().BoolVar(&f.more, "more", false, "show all of the topic: the rest of its text, its authority and the evidence")
	cmd.Flags().BoolVar(&f.run, "run", false, "measure the evidence here and now")
	f.textFlags(cmd.Flags())
	f.format = string(report.Table)
	return cmd
}

func completeTopics(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, t := range explain.Topics() {
		names = append(names, t.Name+"\t"+t.Title)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (f *explainFlags) listTopics(std streams) error {
	if _, err := f.check(); err != nil {
		return err
	}
	return f.report(std, func(w io.Writer) error {
		var entries []report.Entry
		for _, topic := range explain.Topics() {
			entries = append(entries, report.Entry{Name: topic.Name, About: topic.Title})
		}
		return report.WriteIndex(w, entries, f.options(std))
	})
}

func (f *explainFlags) explain(ctx context.Context, name string, std streams) error {
	if _, err := f.check(); err != nil {
		return err
	}
	topic := explain.Lookup(name)
	if other := explain.TopicOf(name); topic == nil && other != "" {
		about := ""
		if means := explain.Meaning(name); means != "" {
			about = " (" + means + ")"
		}
		fmt.Fprintf(std.err, "closecap: %s%s is part of the topic %s\n", report.Safe(name), about, other)
		topic = explain.Lookup(other)
	}
	if topic == nil {
		if near := suggest.Nearest(name, explain.Names()); near != "" {
			return misused("unknown topic %q: did you mean %q?", name, near)
		}
		return misused("unknown topic %q (closecap explain lists them)", name)
	}
	if f.run && len(topic.Evidence) > 0 && !kernel.InPrivate() {
		if err := againInPrivate(byCalls, std); !hereInstead(err) {
			return err
		}
	}
	shown, err := f.evidence(ctx, topic)
	if err != nil {
		return err
	}
	return f.report(std, func(w io.Writer) error {
		opt := f.options(std)
		if !f.more && !f.run {
			return report.WriteTopicStart(w, topic, opt)
		}
		if err := report.WriteTopic(w, topic, shown, opt); err != nil {
			return err
		}
		switch topic.Name {
		case scriptsTopic:
			return report.WriteReference(w, reference(), opt)
		case wordsTopic:
			return report.WriteReference(w, glossary(), opt)
		}
		return nil
	})
}

// evidence finds the rows that show what the topic says. A scenario that has no recording
// yet is left out.
func (f *explainFlags) evidence(ctx context.Context, t *explain.Topic) ([]report.Shown, error) {
	if f.run {
		if err := kernel.RaiseLoopback(); err != nil {
			return nil, err
		}
	}
	var shown []report.Shown
	for _, e := range t.Evidence {
		s := report.Shown{Evidence: e}
		var err error
		again := "closecap run " + e.Scenario
		switch {
		case f.run:
			s.Result, err = runNow(ctx, e.Scenario)
		case slices.Contains(pcaps.Names(), e.Scenario):
			s.Result, err = recorded(e.Scenario)
			again = "closecap analyze --sample " + e.Scenario
		}
		if err != nil {
			return nil, err
		}
		if s.Result == nil {
			continue
		}
		s.Source = "measured"
		if s.Result.Kernel != nil {
			s.Source += " on Linux " + s.Result.Kernel.Release
		}
		s.Source += ": " + again
		if s.Calls, err = e.Calls(s.Result); err != nil {
			return nil, err
		}
		shown = append(shown, s)
	}
	return shown, nil
}

// recorded analyzes a recording that the program carries.
func recorded(name string) (*analyze.Result, error) {
	data, err := pcaps.Recording(name)
	if err != nil {
		return nil, err
	}
	rec, err := intake.ReadRecording(context.Background(), pcapfile.NewReader(bytes.NewReader(data), name, pcapfile.Options{}))
	if err != nil {
		return nil, err
	}
	return join.Join(rec, analyze.Options{}), nil
}

const runTimeout = 30 * time.Second

// runNow runs a scenario in this namespace; nil where there is none of that name.
func runNow(ctx context.Context, name string) (*analyze.Result, error) {
	i := slices.IndexFunc(script.Builtin(), func(s *script.Script) bool { return s.Name == name })
	if i < 0 {
		return nil, nil
	}
	rec, err := lab.Run(ctx, script.Builtin()[i], lab.Options{Timeout: runTimeout, Private: kernel.InPrivate()})
	if err != nil {
		return nil, err
	}
	return join.Join(rec, analyze.Options{}), nil
}

// The topics that a reference stands under.
const (
	scriptsTopic = "scripts"
	wordsTopic   = "words"
)

// glossary is the words of the output.
func glossary() []report.Word {
	var words []report.Word
	for _, t := range explain.Glossary() {
		words = append(words, report.Word{Group: t.Group, Usage: t.Word, About: t.Means})
	}
	return words
}

// reference is the script language out of the tables that its parser uses.
func reference() []report.Word {
	var words []report.Word
	for _, w := range script.Reference() {
		words = append(words, report.Word{Group: w.Group, Usage: w.Usage, About: w.About})
	}
	return words
}
