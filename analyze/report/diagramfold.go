package report

import (
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// foldCallsFrom is how many uneventful segments in a row are folded where calls stand between
// them.
const foldCallsFrom = 16

// fold puts the middle of long transfers together: the segments that say nothing about the
// ending and the calls that moved their bytes. The first and the last of them stay.
func (d *diagram) fold(rows []diagramRow) []diagramRow {
	shown := map[uint64]bool{}
	for _, side := range bothSides {
		for _, ch := range *d.conn.States.Of(side) {
			shown[ch.Frame] = true
		}
	}
	if d.conn.Reset != nil {
		shown[d.conn.Reset.Trigger] = true
	}
	var out []diagramRow
	for i := 0; i < len(rows); {
		j, segments, calls := i, 0, 0
		for ; j < len(rows) && quiet(&rows[j], shown); j++ {
			segments += len(rows[j].segments)
			if rows[j].call != nil {
				calls++
			}
		}
		least := foldFrom
		if calls > 0 {
			least = foldCallsFrom
		}
		if segments >= least {
			out = append(out, rows[i], foldRows(rows[i+1:j-1]), rows[j-1])
			i = j
			continue
		}
		j = max(j, i+1)
		out = append(out, rows[i:j]...)
		i = j
	}
	return out
}

// drawnRows is how many rows of a connection are drawn at most: of more, the middle is one.
const drawnRows = 2000

func cutMiddle(rows []diagramRow) []diagramRow {
	if len(rows) <= drawnRows {
		return rows
	}
	from, to := drawnRows/2, len(rows)-drawnRows/2
	return slices.Concat(rows[:from], []diagramRow{foldRows(rows[from:to])}, rows[to:])
}

// quiet reports whether a row says nothing about how the connection ends.
func quiet(row *diagramRow, shown map[uint64]bool) bool {
	if c := row.call; c != nil {
		return (c.Kind() == event.SendCall || c.Kind() == event.RecvCall) && c.Ret > 0 && c.Errno == "" && c.Note == ""
	}
	s := row.segments[0]
	return uneventful(s) && s.Lost == "" && !shown[s.Frame]
}

func foldRows(rows []diagramRow) diagramRow {
	folded := diagramRow{kind: foldKind, time: rows[0].time}
	var bytes [2]uint64
	for i := range rows {
		folded.segments = append(folded.segments, rows[i].segments...)
		folded.calls = append(folded.calls, rows[i].calls...)
		if rows[i].call != nil && rows[i].part != callReturns {
			folded.calls = append(folded.calls, rows[i].call)
		}
	}
	for _, s := range folded.segments {
		bytes[lifeline(s.From)] += uint64(s.Len)
	}
	folded.side = analyze.Client
	if bytes[1] > bytes[0] {
		folded.side = analyze.Server
	}
	return folded
}

// foldWords says what a folded row holds: "118 segments, 170 kB", and in more detail.
func foldWords(row *diagramRow) (words, detail string) {
	var bytes uint64
	for _, s := range row.segments {
		bytes += uint64(s.Len)
	}
	words = count(uint64(len(row.segments)), "segment") + ", " + size(bytes)
	return words, segmentRun(row.segments).words()
}

// foldedCalls says which calls of a side a folded row holds: "20 × send".
func foldedCalls(row *diagramRow, side analyze.Side) []string {
	var names []string
	times := map[string]uint64{}
	for _, c := range row.calls {
		if c.Side != side {
			continue
		}
		name := Safe(c.Name)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		times[name]++
	}
	for i, name := range names {
		names[i] = grouped(times[name]) + " × " + name + "()"
	}
	return names
}
