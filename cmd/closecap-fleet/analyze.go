package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"
	"github.com/spf13/cobra"

	// Where captures may be, and what may run the pipeline.
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/gcs"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/local"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/s3"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/dataflow"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/flink"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/spark"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/runners/universal"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/partial"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/hint"
)

// analyzeFlags are the flags of closecap-fleet analyze.
type analyzeFlags struct {
	in        []string
	pointFrom string
	runner    string
	job       job
}

// runners are those that are linked in; prism runs in this process and needs no server.
var runners = []string{"prism", "direct", "flink", "spark", "universal", "dataflow"}

// formats are those of the records.
var formats = []string{"ndjson", "parquet"}

// maxBuckets bounds the files that come out.
const maxBuckets = 1 << 16

func newAnalyze(std streams) *cobra.Command {
	var f analyzeFlags
	cmd := &cobra.Command{
		Use:   "analyze --in PATTERN... --out DIR [-- BEAM-OPTION...]",
		Short: "How each connection of many captures ended, and why",
		Long: `Read captures as closecap analyze does, on as many machines as a runner of Apache Beam has, and write
the same records: one file for each point and bucket of connections. Files and DIR may be local, or
s3:// or gs:// addresses. What stands behind -- are options of Beam's runner.`,
		Example: `  closecap-fleet analyze --in 'captures/*/*.pcap.zst' --point-from 'captures/([^/]+)/' --out endings
  closecap-fleet analyze --in 's3://bucket/host=*/*.pcap.gz' --point-from 'host=([^/]+)' --out s3://bucket/endings \
    --runner flink -- --endpoint jobs:8099 --environment_type=DOCKER --environment_config=IMAGE`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), args, std) },
	}
	f.flags(cmd)
	return cmd
}

func (f *analyzeFlags) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringArrayVar(&f.in, "in", nil, "captures: a file or a pattern of files; may be given several times")
	fl.StringVar(&f.pointFrom, "point-from", "", "regular expression whose first group, in a file's name, is the point where it was captured; without, all files are one timeline")
	fl.StringVar(&f.job.Out, "out", "", "folder for the records, which holds none yet")
	fl.StringVar(&f.job.Format, "format", "ndjson", "ndjson or parquet")
	fl.IntVar(&f.job.Buckets, "buckets", 64, "into how many files the connections of a point are spread; also how far they can be shared among machines")
	fl.StringVar(&f.runner, "runner", "prism", strings.Join(runners, ", "))
	fl.BoolVar(&f.job.Brief, "brief", false, "without the states and segments of each connection: a tenth of the size")
	fl.BoolVar(&f.job.IDs, "ids", true, "name each connection as other tools do: uid and community_id")
	fl.DurationVar(&f.job.TimeWait, "time-wait", analyze.DefaultTimeWait, "how long TIME_WAIT lasts, by default as on Linux")
	fl.BoolVar(&f.job.AllSegments, "all-segments", false, "list every segment, not only handshake and teardown")
	fl.BoolVar(&f.job.SkipChecksums, "no-checksums", false, "take every checksum for right, as zeek -C does")
}

// input is a capture file as it was found.
type input struct {
	Path  string
	Point string
	Index int
}

func (f *analyzeFlags) run(ctx context.Context, args []string, std streams) error {
	point, err := f.check()
	if err != nil {
		return err
	}
	inputs, twice, err := list(ctx, f.in, point)
	if err != nil {
		return err
	}
	if twice > 0 {
		fmt.Fprintf(std.err, "closecap-fleet: warning: %s named twice, read once\n", analyze.Count(uint64(twice), "file"))
	}
	if err := f.job.unused(ctx); err != nil {
		return err
	}
	if err := flag.CommandLine.Parse(args); err != nil {
		return usageError{err}
	}
	if !beam.Initialized() {
		beam.Init()
	}
	p, err := pipeline(&f.job, inputs)
	if err != nil {
		return err
	}
	if _, err := beam.Run(ctx, f.runner, p); err != nil {
		return fmt.Errorf("run on %s: %w", f.runner, err)
	}
	return f.job.tell(ctx, std)
}

// check refuses flags that can't be meant, and returns where a file's name has its point, nil for nowhere.
func (f *analyzeFlags) check() (point *regexp.Regexp, err error) {
	switch {
	case len(f.in) == 0:
		return nil, misused("analyze: want --in PATTERN")
	case f.job.Out == "":
		return nil, misused("analyze: want --out DIR")
	case !slices.Contains(formats, f.job.Format):
		return nil, misused("--format %s: want one of %s", f.job.Format, strings.Join(formats, ", "))
	case !slices.Contains(runners, f.runner):
		return nil, misused("--runner %s: want one of %s", f.runner, strings.Join(runners, ", "))
	case f.job.Buckets < 1 || f.job.Buckets > maxBuckets:
		return nil, misused("--buckets %d: want 1 to %d", f.job.Buckets, maxBuckets)
	case f.job.TimeWait <= 0:
		return nil, misused("--time-wait %v: want a duration longer than 0", f.job.TimeWait)
	case f.pointFrom == "" && f.job.Join:
		return nil, misused("join: want --point-from, which says where each file was captured")
	case f.pointFrom == "":
		return nil, nil
	}
	if point, err = regexp.Compile(f.pointFrom); err != nil {
		return nil, misused("--point-from: %v", err)
	}
	if point.NumSubexp() < 1 {
		return nil, hint.With(misused("--point-from %s: it has no group", f.pointFrom), "put what names the point in parentheses")
	}
	return point, nil
}

// list finds the captures. A file that several patterns name is read once, and counted in twice.
func list(ctx context.Context, patterns []string, point *regexp.Regexp) (found []input, twice int, err error) {
	known := map[string]bool{}
	for _, pattern := range patterns {
		paths, err := match(ctx, pattern)
		if err != nil {
			return nil, 0, err
		}
		if len(paths) == 0 {
			return nil, 0, fmt.Errorf("read %s: no file is named so", pattern)
		}
		for _, path := range paths {
			if known[path] {
				twice++
				continue
			}
			known[path] = true
			in := input{Path: path, Index: len(found)}
			if point != nil {
				m := point.FindStringSubmatch(path)
				switch {
				case m == nil || m[1] == "":
					return nil, 0, hint.With(fmt.Errorf("read %s: --point-from %s finds no point in its name", path, point), "narrow --in, or widen --point-from")
				case len(m[1]) > partial.MaxPoint:
					return nil, 0, fmt.Errorf("read %s: its point has a name of %d bytes, want at most %d", path, len(m[1]), partial.MaxPoint)
				}
				in.Point = m[1]
			}
			found = append(found, in)
		}
	}
	return found, twice, nil
}

func match(ctx context.Context, pattern string) ([]string, error) {
	fs, err := filesystem.New(ctx, pattern)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", pattern, err)
	}
	defer fs.Close()
	paths, err := fs.List(ctx, pattern)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", pattern, err)
	}
	if !remote(pattern) { // workers may run elsewhere on this machine
		for i, path := range paths {
			if paths[i], err = filepath.Abs(path); err != nil {
				return nil, fmt.Errorf("read %s: %w", path, err)
			}
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// job is what workers have to know; it travels to them as JSON.
type job struct {
	Out           string
	Format        string
	Buckets       int
	Brief         bool
	IDs           bool
	AllSegments   bool
	SkipChecksums bool
	TimeWait      time.Duration
	Join          bool     // points are joined, and not each analyzed by itself
	Routers       []string // points that are both sides of a router
}

// unused makes Out a name that holds everywhere, and refuses it where records are already.
func (j *job) unused(ctx context.Context) error {
	j.Out = strings.TrimRight(j.Out, "/")
	if !remote(j.Out) {
		out, err := filepath.Abs(j.Out)
		if err != nil {
			return fmt.Errorf("write %s: %w", j.Out, err)
		}
		j.Out = out
	}
	for _, pattern := range []string{"/*", "/*/*"} {
		old, err := match(ctx, escapePattern(j.Out)+pattern)
		if err != nil {
			return err
		}
		if len(old) > 0 {
			return hint.With(fmt.Errorf("write %s: it holds %s already", j.Out, old[0]), "name another --out, or remove what is there")
		}
	}
	return nil
}

// escapePattern makes a name a pattern for itself.
func escapePattern(name string) string {
	return regexp.MustCompile(`[*?\[\\]`).ReplaceAllString(name, `\$0`)
}

// tell shows what became of the job.
func (j *job) tell(ctx context.Context, std streams) error {
	b, err := readAll(ctx, j.Out+"/"+summaryName)
	if err != nil {
		return err
	}
	var s summary
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("read %s/%s: %w", j.Out, summaryName, err)
	}
	for _, w := range s.Warnings {
		fmt.Fprintf(std.err, "closecap-fleet: warning: %s\n", report.Safe(w))
	}
	fmt.Fprintf(std.err, "closecap-fleet: %s of %s in %s, %s\n", analyze.Count(s.Connections, "connection"),
		analyze.Count(s.Packets, "packet"), analyze.Count(s.Files, "file"), analyze.Count(s.Points, "point"))
	if len(s.Errors) > 0 {
		return fmt.Errorf("%s", strings.Join(s.Errors, "\n"))
	}
	return nil
}
