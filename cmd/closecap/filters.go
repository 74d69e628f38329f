package main

import (
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/suggest"
)

// wordFlag is a flag that takes one of a list of words.
type wordFlag struct {
	name  string
	value *string
	words []cobra.Completion // with what they mean
}

// wordFlags are the flags that pick and order connections by a word.
func (f *analyzeFlags) wordFlags() []wordFlag {
	orders := make([]cobra.Completion, 0, len(analyze.OrderNames()))
	for _, name := range analyze.OrderNames() {
		orders = append(orders, cobra.Completion(name))
	}
	return append(endingFlags(&f.ending, &f.cause, &f.closer), wordFlag{"sort", &f.sort, orders},
		wordFlag{"finding", &f.finding, completions(analyze.FindingCodes())})
}

// endingFlags are the flags that pick connections by how they ended.
func endingFlags(ending, cause, closer *string) []wordFlag {
	return []wordFlag{
		{"ending", ending, completions(analyze.EndingCodes())},
		{"cause", cause, completions(analyze.CauseCodes())},
		{"closer", closer, completions(analyze.CloserCodes())},
	}
}

func completions[T comparable](codes []analyze.Code[T]) []cobra.Completion {
	all := make([]cobra.Completion, len(codes))
	for i, name := range analyze.Names(codes) {
		all[i] = cobra.CompletionWithDesc(name, codes[i].Means)
	}
	return all
}

func (f *analyzeFlags) completeFilters(cmd *cobra.Command) {
	for _, w := range f.wordFlags() {
		completeFlag(cmd, w.name, w.words)
	}
}

// completeFlag lets the shells complete a flag of cmd with words.
func completeFlag(cmd *cobra.Command, name string, words []cobra.Completion) {
	// The only error is a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// selection reads the flags that pick connections.
func (f *analyzeFlags) selection() error {
	for _, w := range f.wordFlags() {
		if err := w.check(); err != nil {
			return err
		}
	}
	f.pick.Ending = analyze.Ending(f.ending)
	f.pick.Cause = analyze.ResetCause(f.cause)
	f.pick.Closer = analyze.Side(f.closer)
	f.pick.Finding = analyze.FindingKind(f.finding)
	if err := f.closedBetween(); err != nil {
		return err
	}
	if len(f.hosts) > 2 {
		return misused("--host %s: a connection has two ends", strings.Join(f.hosts, ","))
	}
	for i, to := range []*netip.Prefix{&f.pick.Host, &f.pick.Peer}[:len(f.hosts)] {
		var err error
		if *to, err = parseHost(f.hosts[i]); err != nil {
			return err
		}
	}
	return nil
}

// check refuses a word that is not listed.
func (w wordFlag) check() error {
	var known []string
	for _, word := range w.words {
		name, _, _ := strings.Cut(string(word), "\t")
		if name == *w.value {
			return nil
		}
		known = append(known, name)
	}
	if *w.value == "" {
		return nil
	}
	return usageError{suggest.Unknown("--"+w.name, *w.value, known)}
}

// parseHost reads --host; not given, it is no prefix.
func parseHost(s string) (netip.Prefix, error) {
	if s == "" {
		return netip.Prefix{}, nil
	}
	p, err := analyze.ParseHost(s)
	if err != nil {
		return p, misused("--host %w", err)
	}
	return p, nil
}

// closedBetween reads --closed.
func (f *analyzeFlags) closedBetween() error {
	if len(f.closed) == 0 {
		return nil
	}
	bad := misused("--closed %s: want two times, as 2026-03-01T02:00:03.5Z,2026-03-01T02:00:04Z", strings.Join(f.closed, ","))
	if len(f.closed) != 2 {
		return bad
	}
	for i, s := range f.closed {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return bad
		}
		f.pick.Closed[i] = event.Time(t.UnixNano())
	}
	return nil
}
