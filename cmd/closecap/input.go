package main

import (
	"bytes"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/lab/script"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/pcaps"
)

// input is what the commands read that read captures.
type input struct {
	sample         string
	points         []string
	filesFrom      string
	found          bool // the files were found in a folder, or listed
	calls          []string
	filter         string
	timeWait       time.Duration
	maxMemory      size
	maxConnections int
}

func (f *input) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.sample, "sample", "", "read a recording that closecap carries, named like its scenario")
	fl.StringSliceVar(&f.calls, "calls", nil, "link with the calls in these logs of strace -f -ttt -T -yy, taken on the same machine")
	fl.StringVar(&f.filesFrom, "files-from", "", "read also the files that this file names, one a line (or each ended by NUL); - is standard input")
	fl.StringArrayVar(&f.points, "point", nil, "what was captured at one of several points: NAME=FILE, or NAME=PATTERN")
	f.readFlags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("sample", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return samples(), cobra.ShellCompDirectiveNoFileComp
	})
}

// readFlags are those that any number of captures can be read with.
func (f *input) readFlags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.filter, "filter", "", "only packets that this BPF expression lets through (as tcpdump)")
	fl.DurationVar(&f.timeWait, "time-wait", analyze.DefaultTimeWait, "how long TIME_WAIT lasts, by default as on Linux")
	fl.Var(&f.maxMemory, "max-memory", "memory for the connections that are followed, as 800M or 2G (default 1G, of which 8,192 that are over take their part)")
	fl.IntVar(&f.maxConnections, "max-connections", 0, "open connections to follow at a time (default: what fits into the memory, half a million short ones in 1G)")
}

// samples are the recordings that the program carries, as completions. All scripts are parsed for them.
func samples() []cobra.Completion {
	titles := map[string]string{}
	for _, s := range script.Builtin() {
		titles[s.Name] = s.Title
	}
	var all []cobra.Completion
	for _, name := range pcaps.Names() {
		all = append(all, cobra.CompletionWithDesc(name, titles[name]))
	}
	return all
}

// named wants either files or a sample.
func (f *input) named(command string, args []string) error {
	if (len(args) == 0 && f.filesFrom == "" && len(f.points) == 0) == (f.sample == "") {
		return misused("%s: want the name of a file, or --sample NAME", command)
	}
	return nil
}

// bounds refuses numbers that can't be meant.
func (f *input) bounds() error {
	switch {
	case f.timeWait <= 0:
		return misused("--time-wait %v: want a duration longer than 0", f.timeWait)
	case f.maxConnections < 0:
		return misused("--max-connections %d: want %s", f.maxConnections, wantMore["max-connections"])
	}
	return nil
}

// analysis says how what is read is analyzed.
func (f *input) analysis(r *reading) closecap.Options {
	opt := closecap.Options{StraceLogs: f.calls, Tool: "closecap " + version, Source: r.name, Title: r.title}
	opt.TimeWait, opt.MaxConnections, opt.MaxMemory = f.timeWait, f.maxConnections, int64(f.maxMemory)
	opt.AllSegments = small(r.size) || f.sample != ""
	opt.Words = small(r.size)
	opt.Joining = collectEarly
	return opt
}

// open opens the files, or the recording that the program carries.
func (f *input) open(args []string, std streams) (*pcapfile.Reader, error) {
	keep, err := f.keep()
	if err != nil {
		return nil, err
	}
	opt := pcapfile.Options{Keep: keep, Absent: f.found}
	if f.sample == "" {
		return pcapfile.Open(args, std.in, opt)
	}
	sample, err := pcaps.Recording(f.sample)
	if err != nil {
		return nil, usageError{hint.With(err, "closecap list shows them")}
	}
	return pcapfile.NewReader(bytes.NewReader(sample), f.sample, opt), nil
}

// keep returns what packets --filter lets through, nil for all.
func (f *input) keep() (func(*event.Packet) bool, error) {
	if f.filter == "" {
		return nil, nil
	}
	return packetFilter(f.filter)
}

// wholeSize is up to what size a capture's segments are all kept and shown.
const wholeSize = 4 << 20

// small reports whether files of that size together are small enough to keep every segment.
func small(size int64) bool { return size >= 0 && size <= wholeSize }

// total returns the size of files together, negative where they are not all regular ones.
func total(paths []string) (n int64) {
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil || !info.Mode().IsRegular() {
			return -1
		}
		n += info.Size()
	}
	return n
}
