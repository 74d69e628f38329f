package closecap

import (
	"context"
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/flows"
	"github.com/closecap/closecap/analyze/points"
	"github.com/closecap/closecap/capture/intake"
)

// Point is one of several places where the same connections were captured.
type Point struct {
	Name   string
	Source intake.Source
	// Sides says that the source holds what came into a router and what left it: it is two points.
	Sides bool
}

// maxPointSegments bounds what is held in memory of all points together: some 3 GB.
const maxPointSegments = 1 << 22

// NewPoints returns an Analysis of what several points saw of the same connections. Each point is a
// timeline by itself, whose frames are counted from 1; the frames of the connections number the packets of
// all, each once. All is read before the first connection is handed out. Calls in the sources are not
// joined.
func NewPoints(all []Point, opt Options) *Analysis {
	return &Analysis{opt: opt, points: all}
}

// followPoints reads all points, and shows the connections of their common timeline.
func (a *Analysis) followPoints(ctx context.Context, show func(*analyze.Connection) bool) {
	var total intake.Counts
	all := make([]points.Point, 0, len(a.points))
	held, calls := 0, 0
	for _, p := range a.points {
		read := points.Point{Name: p.Name, Sides: p.Sides}
		var counts intake.Counts
		for b, err := range intake.Batches(ctx, p.Source, intake.Options{SkipChecksums: a.skipsChecksums()}) {
			if err != nil {
				a.errs = append(a.errs, err)
				continue
			}
			counts = b.Counts
			calls += len(b.Calls)
			if held += len(b.Segments); held > maxPointSegments {
				a.errs = append(a.errs, fmt.Errorf("join points: more than %d segments: filter them, or analyze each point by itself", maxPointSegments))
				return
			}
			read.Segments = append(read.Segments, b.Segments...)
		}
		read.Dropped, read.First, read.Last = p.Source.Dropped(), counts.First, counts.Last
		all = append(all, read)
		total.Add(&counts)
	}
	a.counts = total
	j := points.Join(all)
	more := true
	var connections, lacking uint64
	f := flows.NewFollower(a.opt.Options, func(c *analyze.Connection) {
		if connections++; !c.Whole {
			lacking++
		}
		j.Annotate(c)
		more = more && show(c)
	})
	for rest := j.Segments; len(rest) > 0 && more && ctx.Err() == nil; {
		n := min(len(rest), 1024)
		f.Segments(rest[:n])
		rest = rest[n:]
	}
	if !more || ctx.Err() != nil {
		return
	}
	f.Finish()
	a.followed(f.Stats(), lacking, connections)
	a.res.Warnings = append(a.res.Warnings, pointWarnings(j, all, calls)...)
}

// pointWarnings says what the points can't tell.
func pointWarnings(j *points.Joined, all []points.Point, calls int) (w []string) {
	for _, name := range j.Unsound {
		w = append(w, fmt.Sprintf("point %s missed packets that acknowledgments show: what it lacks proves nothing", name))
	}
	for _, p := range all {
		if p.Dropped > 0 && !slices.Contains(j.Unsound, p.Name) {
			w = append(w, fmt.Sprintf("point %s lost %s in capturing: what it lacks proves nothing", p.Name, analyze.Count(p.Dropped, "packet")))
		}
	}
	if j.Connections == 0 && len(j.Segments) > 0 {
		w = append(w, "no connection was seen at more than one point")
	}
	if calls > 0 {
		w = append(w, fmt.Sprintf("%s left out: calls are joined with one point's packets only", analyze.Count(uint64(calls), "call")))
	}
	return w
}
