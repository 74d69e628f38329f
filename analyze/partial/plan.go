package partial

import (
	"cmp"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// Facts is what has to be known of a file before its part of a timeline can be read by itself.
type Facts struct {
	Point      string
	File       string
	Index      int    // among the files of all points as they were named
	Frames     uint64 // as pcapfile counts them
	Interfaces uint32
	First      event.Time // of the first frame
	Latest     event.Time // of any
}

// Run is files of a point that have to be read as one timeline, since their times overlap.
type Run struct {
	Point string
	Files []string
	// Frames is how many there are in the run.
	Frames uint64
	// Frame and Interface are how many there are of the point before the run: they are to be added to
	// what a reader counts in the run.
	Frame     uint64
	Interface uint32
}

// Plan finds the runs of each point, in order: read one after the other they are the timeline that a
// reader of all its files reads. Files that hold no frame are in none. Rotated files of one capture are
// a run each.
func Plan(files []Facts) (runs []Run) {
	files = slices.DeleteFunc(slices.Clone(files), func(f Facts) bool { return f.Frames == 0 })
	slices.SortFunc(files, func(a, b Facts) int {
		return cmp.Or(cmp.Compare(a.Point, b.Point), cmp.Compare(a.First, b.First), cmp.Compare(a.Index, b.Index))
	})
	for len(files) > 0 {
		next := Run{Point: files[0].Point}
		for len(files) > 0 && files[0].Point == next.Point {
			n := overlapping(files)
			next.Files, next.Frames = nil, 0
			interfaces := next.Interface
			slices.SortFunc(files[:n], func(a, b Facts) int { return cmp.Compare(a.Index, b.Index) })
			for _, f := range files[:n] {
				next.Files = append(next.Files, f.File)
				next.Frames += f.Frames
				interfaces += f.Interfaces
			}
			runs = append(runs, next)
			next.Frame, next.Interface = next.Frame+next.Frames, interfaces
			files = files[n:]
		}
	}
	return runs
}

// overlapping returns how many of the files belong together with the first. Of two frames at the same time
// that of the file named first comes first.
func overlapping(files []Facts) int {
	latest, index := files[0].Latest, files[0].Index
	for i, f := range files[1:] {
		if f.Point != files[0].Point || f.First > latest || f.First == latest && f.Index > index {
			return i + 1
		}
		latest, index = max(latest, f.Latest), max(index, f.Index)
	}
	return len(files)
}
