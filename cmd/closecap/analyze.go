package main

import (
	"context"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/report"
)

// analyzeFlags are the flags of closecap analyze.
type analyzeFlags struct {
	output
	input
	hosts         []string
	finding       string
	closed        []string
	again         string // the command that reads the same
	ending        string
	cause         string
	closer        string
	sort          string
	summary       bool
	brief         bool
	ids           bool
	skipChecksums bool
	words         bool
	noPayload     bool
	pick          analyze.Selection
	paging        bool // what is read has an end
}

func newAnalyze(std streams) *cobra.Command {
	var f analyzeFlags
	cmd := &cobra.Command{
		Use:   "analyze FILE|FOLDER... | --point NAME=FILE...",
		Short: "How each connection of a capture ended, and why",
		Long: `Read saved captures (pcap or pcapng, plain, gzip or zstd, "-" for standard input) and say
of each TCP connection how it ended, who ended it and why. Of a folder those in it are read that
are called *.pcap*. Several files are read as one timeline, unless they show the same packets at
different times: then they are several capture points, as those named by --point, and what was lost
and made between them is told. A recording that closecap saved gives the table that the run gave, or
the lines that watch gave; with --calls any capture does, when strace ran beside it.`,
		Example: "  closecap analyze server.pcap\n  closecap analyze --ending reset --cause unread-data *.pcap.gz\n  closecap analyze /var/log/capture\n  closecap analyze --calls strace.log server.pcap\n  closecap analyze --point client=c.pcap --point 'server=s-*.pcap'\n  closecap analyze --sample shutdown-wr",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := noZeros(cmd); err != nil {
				return err
			}
			f.again = again(cmd, args)
			return f.run(cmd.Context(), args, std)
		},
	}
	f.allFlags(cmd)
	fl := cmd.Flags()
	f.input.flags(cmd)
	fl.IntVar(&f.pick.ID, "conn", 0, "only this connection")
	fl.StringVar(&f.ending, "ending", "", "only connections that ended so: graceful, reset, half-closed...")
	fl.StringVar(&f.cause, "cause", "", "only resets of this cause: unread-data, data-after-close...")
	fl.StringVar(&f.closer, "closer", "", "only connections closed first by client, server or both")
	fl.StringSliceVar(&f.hosts, "host", nil, "only connections of this address or network; of two, those between them")
	fl.StringVar(&f.finding, "finding", "", "only connections that a finding of the summary is made of: keepalive-race, close-wait...")
	fl.StringVar(&f.pick.Said, "said", "", "only connections that ended with a message that has this in it")
	fl.StringSliceVar(&f.closed, "closed", nil, "only connections whose first end closed between two times, as 2026-03-01T02:00:03.5Z,2026-03-01T02:00:04Z")
	fl.Uint16Var(&f.pick.Port, "port", 0, "only connections of this port")
	fl.DurationVar(&f.pick.MinHalfClose, "min-half-close", 0, "only connections half-closed for at least this long")
	fl.BoolVar(&f.summary, "summary", false, "only the summary, no row for each connection")
	fl.BoolVar(&f.brief, "brief", false, "NDJSON without the states and segments of each connection: a tenth of the size")
	fl.BoolVar(&f.ids, "ids", false, "name each connection as other tools do: uid and community_id, in JSON, NDJSON and CSV")
	fl.BoolVar(&f.words, "words", false, "what each end said last, also in no known protocol, in large files and standard input (default: small files, known protocols)")
	fl.BoolVar(&f.noPayload, "no-payload", false, "read no payload: no last words")
	fl.StringVar(&f.sort, "sort", "", "order of connections: "+strings.Join(analyze.OrderNames(), ", "))
	fl.BoolVar(&f.skipChecksums, "no-checksums", false, "take every checksum for right, as zeek -C does: they matter to Zeek's fields only")
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
	// The first Ctrl-C ends the reading; what was read is drawn, and the second does not wait for that.
	defer context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })()
	r, err := f.read(ctx, "analyze", args, std)
	if err != nil {
		return err
	}
	f.paging = !slices.Contains(r.files, "-")
	opt := f.analysis(r)
	opt.SkipChecksums = f.skipChecksums
	opt.SkipCompat = !format.ShowsCompat() && f.html == ""
	opt.Words, opt.RawWords, opt.Relays = !f.noPayload && (f.words || opt.Words), f.words, opt.Words
	opt.AllSegments = opt.AllSegments || f.pick.ID != 0
	stop := showProgress(r, std.err)
	var readErr, writeErr error
	show := func(out io.Writer) error {
		std := std
		std.out = out
		if begin := watched(ctx, r.timeline); begin != nil {
			readErr, writeErr = f.watchAgain(ctx, r.timeline, begin, format, std)
			r.timeline.Close()
		} else {
			readErr, writeErr = f.show(ctx, r, opt, format, std)
		}
		return writeErr
	}
	if f.outFile == "" {
		writeErr = show(std.out)
	} else {
		writeErr = writeReport(f.outFile, std, show)
	}
	stop()
	if writeErr != nil {
		return writeErr
	}
	return readErr
}

// limits refuses numbers that no connection can have, and a summary in a format without one.
func (f *analyzeFlags) limits(format report.Format) error {
	if err := f.bounds(); err != nil {
		return err
	}
	switch {
	case f.pick.ID < 0:
		return misused("--conn %d: want %s", f.pick.ID, wantMore["conn"])
	case f.pick.MinHalfClose < 0:
		return misused("--min-half-close %v: want a duration, not before zero", f.pick.MinHalfClose)
	case f.words && f.noPayload:
		return misused("--words and --no-payload: last words are read from the payload")
	case f.brief && format != report.NDJSON:
		return misused("--brief and --format %s: only ndjson has a brief form", format)
	case f.summary && !slices.Contains(report.SummaryFormats(), format):
		return misused("--summary and --format %s: only %s have a summary", format, report.And(report.SummaryFormats()))
	}
	return nil
}
