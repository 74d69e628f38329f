package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
)

// reading is what a command reads: one timeline, or several points.
type reading struct {
	timeline *pcapfile.Reader // nil with points
	points   []closecap.Point
	files    []string
	size     int64  // of them, see total
	name     string // of all, "" for that of the files
	title    string // of all, in few words
}

// analysis returns the analysis of it.
func (r *reading) analysis(opt closecap.Options) *closecap.Analysis {
	if r.points != nil {
		return closecap.NewPoints(r.points, opt)
	}
	return closecap.New(r.timeline, opt)
}

// Progress is as that of a pcapfile.Reader.
func (r *reading) Progress() (read, total int64) {
	if r.points == nil {
		return r.timeline.Progress()
	}
	for _, p := range r.points {
		n, of := p.Source.(*pcapfile.Reader).Progress()
		read, total = read+n, total+of
	}
	return read, total
}

// read opens what the flags and arguments of a command name.
func (f *input) read(ctx context.Context, command string, args []string, std streams) (*reading, error) {
	if err := f.named(command, args); err != nil {
		return nil, err
	}
	if len(f.points) > 0 {
		return f.openPoints(ctx, command, args, std)
	}
	files, source, title, err := f.files(args, std.in)
	if err != nil {
		return nil, err
	}
	r := &reading{files: files, size: total(files), name: cmp.Or(f.sample, source), title: cmp.Or(f.sample, title)}
	found := f.detect(ctx, files)
	switch {
	case found != nil && weight(files) <= joinSize:
		r.points, err = f.pointSources(ctx, found, std)
		return r, err
	case len(found) > 1:
		fmt.Fprintf(std.err, "closecap: warning: these files show the same packets at different times, and are too large to be joined as several points: %s each by itself, or some with --filter and --point\n", command)
	}
	r.timeline, err = f.open(files, std)
	return r, err
}

// openPoints opens what --point names.
func (f *input) openPoints(ctx context.Context, command string, args []string, std streams) (*reading, error) {
	switch {
	case len(args) > 0:
		return nil, misused("%s: %s beside --point: say of which point, --point NAME=%s", command, args[0], args[0])
	case f.filesFrom != "":
		return nil, misused("%s: --files-from beside --point: name each point's files, --point NAME=PATTERN", command)
	case f.sample != "" || len(f.calls) > 0:
		return nil, misused("%s: --point goes with neither --sample nor --calls", command)
	}
	named, err := parsePoints(f.points)
	if err != nil {
		return nil, err
	}
	r := &reading{name: strings.Join(f.points, " ")}
	var points []string
	for _, p := range named {
		r.files, points = append(r.files, p.files...), append(points, p.name)
	}
	r.size, r.title = total(r.files), few(points)
	r.points, err = f.pointSources(ctx, named, std)
	return r, err
}

// detectFiles is how many files are looked at to find out whether they are of several points: more are parts
// of one. joinSize is up to which size they are then joined unasked: a packet takes 650 bytes of memory, so
// that many bytes of short ones take 620 MB.
const (
	detectFiles = 8
	joinSize    = 64 << 20
)

// weight is about how large files are once they are decompressed.
func weight(files []string) (n int64) {
	for _, file := range files {
		size := total([]string{file})
		if strings.HasSuffix(file, ".gz") || strings.HasSuffix(file, ".zst") {
			size *= 16
		}
		n += size
	}
	return n
}

// detect finds out whether files are captures at several points, or of what went through a router, nil
// for neither.
func (f *input) detect(ctx context.Context, files []string) []namedPoint {
	if len(files) == 0 || len(files) > detectFiles || len(f.calls) > 0 || total(files) < 0 {
		return nil
	}
	if len(files) == 1 {
		if closecap.SeesSides(ctx, probing(files)) {
			return []namedPoint{{pointName(files[0]), files}}
		}
		return nil
	}
	var sources []intake.Source
	var points []namedPoint
	for _, file := range files {
		src := probing([]string{file})
		if src == nil {
			return nil
		}
		sources = append(sources, src)
		points = append(points, namedPoint{pointName(file), []string{file}})
	}
	if !closecap.SeveralPoints(ctx, sources) {
		return nil
	}
	return points
}

// pointName names the point of a file.
func pointName(file string) string {
	name := filepath.Base(file)
	for _, end := range []string{".gz", ".zst", ".pcapng", ".pcap", ".cap"} {
		if short := strings.TrimSuffix(name, end); short != "" {
			name = short
		}
	}
	return name
}

// probing opens files to look at their beginning; nil where that would take something away, or fails.
func probing(files []string) intake.Source {
	if total(files) < 0 {
		return nil
	}
	r, err := pcapfile.Open(files, nil, pcapfile.Options{})
	if err != nil {
		return nil
	}
	return r
}
