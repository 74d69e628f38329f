package main

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/pcaps"
)

// analyzeFlags are the flags of closecap analyze.
type analyzeFlags struct {
	output
	sample         string
	calls          []string
	filter         string
	host           string
	ending         string
	cause          string
	closer         string
	sort           string
	summary        bool
	timeWait       time.Duration
	skipChecksums  bool
	maxConnections int
	pick           analyze.Selection
}

func newAnalyze(std streams) *cobra.Command {
	var f analyzeFlags
	cmd := &cobra.Command{
		Use:   "analyze FILE...",
		Short: "How each connection of a capture ended, and why",
		Long: `Read saved captures (pcap or pcapng, plain, gzip or zstd, "-" for standard input) and say
of each TCP connection how it ended, who ended it and why. Several files are read as one
timeline. A recording that closecap saved gives the table that the run gave, or the lines that
watch gave; with --calls any capture does, when strace ran beside it.`,
		Example: "  closecap analyze server.pcap\n  closecap analyze --ending reset --cause unread-data *.pcap.gz\n  closecap analyze --calls strace.log server.pcap\n  closecap analyze --sample shutdown-wr",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := noZeros(cmd); err != nil {
				return err
			}
			return f.run(cmd.Context(), args, std)
		},
	}
	f.allFlags(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.sample, "sample", "", "analyze a recording that closecap carries, named like its scenario")
	fl.StringSliceVar(&f.calls, "calls", nil, "link with the calls in these logs of strace -f -ttt -T -yy, taken on the same machine")
	fl.StringVar(&f.filter, "filter", "", "only packets that this BPF expression lets through (as tcpdump)")
	fl.IntVar(&f.pick.ID, "conn", 0, "only this connection")
	fl.StringVar(&f.ending, "ending", "", "only connections that ended so: graceful, reset, half-closed...")
	fl.StringVar(&f.cause, "cause", "", "only resets of this cause: unread-data, data-after-close...")
	fl.StringVar(&f.closer, "closer", "", "only connections closed first by client, server or both")
	fl.StringVar(&f.host, "host", "", "only connections of this address or network")
	fl.Uint16Var(&f.pick.Port, "port", 0, "only connections of this port")
	fl.DurationVar(&f.pick.MinHalfClose, "min-half-close", 0, "only connections half-closed for at least this long")
	fl.BoolVar(&f.summary, "summary", false, "only the summary, no row for each connection")
	fl.StringVar(&f.sort, "sort", "", "order of connections: "+strings.Join(analyze.OrderNames(), ", "))
	fl.DurationVar(&f.timeWait, "time-wait", analyze.DefaultTimeWait, "how long TIME_WAIT lasts, by default as on Linux")
	fl.BoolVar(&f.skipChecksums, "no-checksums", false, "take every checksum for right, as zeek -C does: they matter to Zeek's fields only")
	fl.IntVar(&f.maxConnections, "max-connections", 0, "open connections to follow at a time (default 131072: 135 MB of half-open ones, up to 600 MB of long ones)")
	f.completeFilters(cmd)
	return cmd
}

// wantMore says what the flags want whose 0 stands for not being given.
var wantMore = map[string]string{
	"conn":            "the number of a connection, from 1",
	"port":            "a port, from 1",
	"max-connections": "how many, from 1",
}

// noZeros refuses them where they were given.
func noZeros(cmd *cobra.Command) error {
	for _, name := range slices.Sorted(maps.Keys(wantMore)) {
		if fl := cmd.Flags().Lookup(name); fl.Changed && fl.Value.String() == fl.DefValue {
			return misused("--%s %s: want %s", name, fl.Value, wantMore[name])
		}
	}
	return nil
}

func (f *analyzeFlags) run(ctx context.Context, args []string, std streams) error {
	format, err := f.check()
	if err != nil {
		return err
	}
	if err := f.limits(format); err != nil {
		return err
	}
	if err := f.selection(); err != nil {
		return err
	}
	if (len(args) == 0) == (f.sample == "") {
		return misused("analyze: want the name of a file, or --sample NAME")
	}
	// The first Ctrl-C ends the reading; what was read is drawn, and the second does not wait for that.
	defer context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })()
	r, err := f.open(args, std)
	if err != nil {
		return err
	}
	opt := closecap.Options{StraceLogs: f.calls, Tool: "closecap " + version, Source: strings.Join(args, " ")}
	opt.TimeWait, opt.MaxConnections = f.timeWait, f.maxConnections
	opt.SkipChecksums = f.skipChecksums
	opt.AllSegments = small(args) || f.pick.ID != 0
	if f.sample != "" {
		opt.Source, opt.AllSegments = f.sample, true
	}
	opt.Joining = func() { debug.SetGCPercent(collectAt) }
	stop := showProgress(r, std.err)
	var readErr, writeErr error
	if begin := watched(ctx, r); begin != nil {
		readErr, writeErr = f.watchAgain(ctx, r, begin, format, std)
		r.Close()
	} else {
		readErr, writeErr = f.show(ctx, r, opt, format, std)
	}
	stop()
	if writeErr != nil {
		return writeErr
	}
	return readErr
}

func (f *analyzeFlags) open(args []string, std streams) (*pcapfile.Reader, error) {
	opt := pcapfile.Options{}
	if f.filter != "" {
		keep, err := packetFilter(f.filter)
		if err != nil {
			return nil, err
		}
		opt.Keep = keep
	}
	if f.sample == "" {
		return pcapfile.Open(args, std.in, opt)
	}
	sample, err := pcaps.Recording(f.sample)
	if err != nil {
		return nil, usageError{err}
	}
	return pcapfile.NewReader(bytes.NewReader(sample), f.sample, opt), nil
}

// collectAt is the garbage collector's setting where next to nothing becomes garbage. While calls are
// joined, nearly all is kept: a million take 0.95 GB with it, 1.5 GB without, for 5 to 8 % more CPU time.
// Where connections are written and forgotten, nearly all is used again: a capture of 1.6 GB takes 74 MB
// with it and 104 without, and 3 % less CPU time.
const collectAt = 20

// wholeSize is up to what size a capture's segments are all kept and shown.
const wholeSize = 4 << 20

// small reports whether all files together are small enough to keep every segment.
func small(paths []string) bool {
	var total int64
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil || !info.Mode().IsRegular() {
			return false
		}
		total += info.Size()
	}
	return total <= wholeSize
}

// limits refuses numbers that no connection can have, and a summary in a format without one.
func (f *analyzeFlags) limits(format report.Format) error {
	switch {
	case f.pick.ID < 0:
		return misused("--conn %d: want %s", f.pick.ID, wantMore["conn"])
	case f.pick.MinHalfClose < 0:
		return misused("--min-half-close %v: want a duration, not before zero", f.pick.MinHalfClose)
	case f.timeWait <= 0:
		return misused("--time-wait %v: want a duration longer than 0", f.timeWait)
	case f.maxConnections < 0:
		return misused("--max-connections %d: want %s", f.maxConnections, wantMore["max-connections"])
	case f.summary && !slices.Contains(report.SummaryFormats(), format):
		return misused("--summary and --format %s: only %s have a summary", format, report.And(report.SummaryFormats()))
	}
	return nil
}
