package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/capture/pcapfile"
)

// namedPoint is a capture point with its files.
type namedPoint struct {
	name  string
	files []string
}

// parsePoints reads the values of --point. A name that comes twice has the files of both.
func parsePoints(values []string) ([]namedPoint, error) {
	var all []namedPoint
	for _, v := range values {
		name, pattern, ok := strings.Cut(v, "=")
		if !ok || name == "" || pattern == "" {
			return nil, misused("--point %s: want NAME=FILE, a pattern for several", v)
		}
		files := []string{pattern}
		if _, err := os.Stat(pattern); err != nil && strings.ContainsAny(pattern, "*?[") {
			if files, err = filepath.Glob(pattern); err != nil {
				return nil, misused("--point %s: %v", v, err)
			}
			if len(files) == 0 {
				return nil, misused("--point %s: no file is named so", v)
			}
		}
		files, err := pcapfile.Files(files)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(all, func(p namedPoint) bool { return p.name == name })
		if at < 0 {
			all = append(all, namedPoint{name: name})
			at = len(all) - 1
		}
		all[at].files = append(all[at].files, files...)
	}
	for i, p := range all {
		for _, o := range all[:i] {
			for _, f := range p.files {
				if slices.Contains(o.files, f) {
					return nil, misused("--point: %s is a file of both %s and %s", f, o.name, p.name)
				}
			}
		}
	}
	return all, nil
}

// pointSources opens the files of capture points.
func (f *input) pointSources(ctx context.Context, all []namedPoint, std streams) ([]closecap.Point, error) {
	keep, err := f.keep()
	if err != nil {
		return nil, err
	}
	var out []closecap.Point
	for _, p := range all {
		r, err := pcapfile.Open(p.files, std.in, pcapfile.Options{Keep: keep})
		if err != nil {
			return nil, err
		}
		out = append(out, closecap.Point{Name: p.name, Source: r, Sides: closecap.SeesSides(ctx, probing(p.files))})
	}
	return out, nil
}
