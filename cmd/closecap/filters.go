package main

import (
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze"
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
	return []wordFlag{
		{"ending", &f.ending, completions(analyze.EndingCodes())},
		{"cause", &f.cause, completions(analyze.CauseCodes())},
		{"closer", &f.closer, completions(analyze.CloserCodes())},
		{"sort", &f.sort, orders},
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
	if f.host == "" {
		return nil
	}
	var err error
	if f.pick.Host, err = parsePrefix(f.host); err != nil {
		return misused("--host %s: want an address or a network like 10.0.0.0/8", f.host)
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

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		return netip.ParsePrefix(s)
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Unmap().Prefix(a.Unmap().BitLen())
}
