package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/partial"
	"github.com/closecap/closecap/capture/decode"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
)

// Beam's generic registration would spare its calls reflection, and take more than a minute and 1.6 GB to
// compile; the elements are few.
func init() {
	for _, fn := range []any{&lookFn{}, &planFn{}, &packFn{}, &reduceFn{}, &summaryFn{}} {
		beam.RegisterDoFn(fn)
	}
	beam.RegisterFunction(later)
}

// pipeline is what Beam is to do. Its elements are files, runs of them, and parts of a megabyte: never packets.
func pipeline(j *job, inputs []input) (*beam.Pipeline, error) {
	p, s := beam.NewPipelineWithRoot()
	files := make([]string, 0, len(inputs))
	for _, in := range inputs {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		files = append(files, string(b))
	}
	// 1. Look at each file: how many frames, when. 2. Of each point, plan what is read together.
	facts, dropped, notes := beam.ParDo3(s.Scope("look"), &lookFn{}, beam.Reshuffle(s, beam.CreateList(s, files)))
	runs := beam.ParDo(s.Scope("plan"), &planFn{}, beam.GroupByKey(s, facts))
	// 3. Read that, and pack its segments by bucket.
	parts, ends, spans, times, more := beam.ParDo5(s.Scope("pack"), &packFn{Job: *j}, beam.Reshuffle(s, runs))
	if j.Join {
		wrote := j.joins(s, parts, spans, dropped, times)
		beam.ParDo0(s.Scope("summary"), &summaryFn{Job: *j}, beam.GroupByKey(s, beam.AddFixedKey(s, beam.Flatten(s, notes, more, wrote))))
		return p, nil
	}
	ends = beam.CombinePerKey(s, later, ends)
	// 4. Follow the connections of each bucket, and write them. 5. Say what became of it all.
	wrote := beam.ParDo(s.Scope("reduce"), &reduceFn{Job: *j}, beam.GroupByKey(s, parts), beam.SideInput{Input: ends}, beam.SideInput{Input: spans})
	all := beam.GroupByKey(s, beam.AddFixedKey(s, beam.Flatten(s, notes, more, wrote)))
	beam.ParDo0(s.Scope("summary"), &summaryFn{Job: *j}, all)
	return p, nil
}

func later(a, b int64) int64 { return max(a, b) }

// note is what a step has to say; notes are added up.
type note struct {
	Files, Packets, Connections, Lacking, Dropped, Calls uint64
	Point                                                string
	Unparsed                                             map[string]uint64
	Errors                                               []string
	Together                                             int      // files of a point that overlap
	Unsound                                              []string // points that missed packets, of a join
}

func (n note) emit(to func([]byte)) error {
	b, err := json.Marshal(n)
	if err == nil {
		to(b)
	}
	return err
}

// lookFn finds the facts of a file.
type lookFn struct{}

// ProcessElement reads a file to its end. What is wrong with it is told here, and once.
func (*lookFn) ProcessElement(ctx context.Context, element string, emit func(point string, facts []byte), lost func([]byte), tell func([]byte)) error {
	var in input
	if err := json.Unmarshal([]byte(element), &in); err != nil {
		return err
	}
	n := note{Files: 1, Point: in.Point}
	facts := partial.Facts{Point: in.Point, File: in.Path, Index: in.Index}
	c, err := openCaptures(ctx, []string{in.Path})
	if err == nil {
		defer c.close()
		err = look(ctx, c, &facts)
		n.Dropped = c.Dropped()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		n.Errors = []string{err.Error()}
	}
	b, err := json.Marshal(facts)
	if err != nil {
		return err
	}
	emit(in.Point, b)
	if err := (known{Point: in.Point, Dropped: n.Dropped}).emit(lost); err != nil {
		return err
	}
	return n.emit(tell)
}

func look(ctx context.Context, c *captures, facts *partial.Facts) error {
	for {
		rec, err := c.Next()
		if err == io.EOF {
			facts.Interfaces = uint32(len(c.Interfaces()))
			return nil
		}
		if err != nil {
			facts.Interfaces = uint32(len(c.Interfaces()))
			return err
		}
		if facts.Frames++; facts.Frames == 1 {
			facts.First = rec.Packet.Time
		}
		facts.Latest = max(facts.Latest, rec.Packet.Time)
		if facts.Frames%(1<<16) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// planFn plans the runs of a point.
type planFn struct{}

// ProcessElement takes the facts of all files of a point.
func (*planFn) ProcessElement(_ string, facts func(*[]byte) bool, emit func(run []byte)) error {
	var all []partial.Facts
	for b := []byte(nil); facts(&b); {
		var f partial.Facts
		if err := json.Unmarshal(b, &f); err != nil {
			return err
		}
		all = append(all, f)
	}
	for _, run := range partial.Plan(all) {
		b, err := json.Marshal(run)
		if err != nil {
			return err
		}
		emit(b)
	}
	return nil
}

// packFn packs the segments of a run.
type packFn struct{ Job job }

// key names what is reduced together: a point's bucket.
func key(point string, bucket int) string { return fmt.Sprintf("%05d %s", bucket, point) }

func ofKey(key string) (point string, bucket int, err error) {
	number, point, ok := strings.Cut(key, " ")
	if bucket, err = strconv.Atoi(number); err != nil || !ok {
		return "", 0, fmt.Errorf("reduce %q: not a key", key)
	}
	return point, bucket, nil
}

// ProcessElement emits the run's parts, when its last segment came, and which file its frames are from.
func (f *packFn) ProcessElement(ctx context.Context, element []byte, emit func(key string, part []byte), end func(point string, last int64), from func(point string, spans []byte), times func([]byte), tell func([]byte)) error {
	var run partial.Run
	if err := json.Unmarshal(element, &run); err != nil {
		return err
	}
	c, err := openCaptures(ctx, run.Files)
	if err != nil {
		return err
	}
	defer c.close()
	got, err := f.pack(ctx, &run, c, emit)
	if err != nil {
		return err
	}
	end(run.Point, int64(got.last))
	spans, err := json.Marshal(c.spans(run.Frame))
	if err != nil {
		return err
	}
	from(run.Point, spans)
	if err := (known{Point: run.Point, First: got.counts.First, Last: got.counts.Last}).emit(times); err != nil {
		return err
	}
	n := note{Point: run.Point, Packets: got.counts.Packets, Calls: got.calls, Unparsed: map[string]uint64{}}
	if len(run.Files) > 1 {
		n.Together = len(run.Files)
	}
	for reason, packets := range got.counts.Unparsed {
		if packets > 0 {
			n.Unparsed[decode.Reason(reason).String()] = packets
		}
	}
	return n.emit(tell)
}

// held is what a run held.
type held struct {
	counts intake.Counts
	last   event.Time
	calls  uint64
}

// pack emits the parts of a run that c reads.
func (f *packFn) pack(ctx context.Context, run *partial.Run, c *captures, emit func(key string, part []byte)) (got held, err error) {
	packer, err := partial.NewPacker(run.Point, f.Job.Buckets, func(bucket int, part []byte) error {
		emit(key(run.Point, bucket), part)
		return nil
	})
	if err != nil {
		return got, err
	}
	src := &first{Source: c.Reader, left: run.Frames}
	for b, err := range intake.Batches(ctx, src, intake.Options{SkipChecksums: f.Job.SkipChecksums}) {
		if ctx.Err() != nil {
			return got, ctx.Err()
		}
		if err != nil { // lookFn has told it
			continue
		}
		for i := range b.Segments {
			s := &b.Segments[i]
			s.Frame += run.Frame
			s.Interface += run.Interface
			got.last = max(got.last, s.Time)
		}
		got.calls += uint64(len(b.Calls))
		got.counts = b.Counts
		if err := packer.Add(b.Segments); err != nil {
			return got, err
		}
	}
	if src.left > 0 {
		return got, fmt.Errorf("read %s: %d frames fewer than when it was looked at", strings.Join(run.Files, " "), src.left)
	}
	return got, packer.Flush()
}

// first hands out as many records of a source as were there before: a file may be written while it is read.
type first struct {
	intake.Source
	left uint64
}

func (f *first) Records(ctx context.Context) iter.Seq2[*event.Record, error] {
	return func(yield func(*event.Record, error) bool) {
		for rec, err := range f.Source.Records(ctx) {
			if rec != nil {
				if f.left == 0 {
					return
				}
				f.left--
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// reduceFn follows the connections of a point's bucket, and writes them.
type reduceFn struct{ Job job }

// ProcessElement writes a file, the same each time it is asked to.
func (f *reduceFn) ProcessElement(ctx context.Context, key string, parts func(*[]byte) bool, ends func(*string, *int64) bool, origins func(*string, *[]byte) bool, tell func([]byte)) error {
	point, bucket, err := ofKey(key)
	if err != nil {
		return err
	}
	end, of, at := event.Time(0), "", int64(0)
	for ends(&of, &at) {
		if of == point {
			end = event.Time(at)
		}
	}
	spans, err := spansByPoint(origins)
	if err != nil {
		return err
	}
	var all [][]byte
	for part := []byte(nil); parts(&part); part = nil {
		all = append(all, part)
	}
	n := note{Point: point}
	name := f.Job.file(point, bucket)
	err = writeWhole(ctx, name, func(w io.Writer) error {
		out, err := newRecords(w, &f.Job)
		if err != nil {
			return err
		}
		opt := analyze.Options{TimeWait: f.Job.TimeWait, AllSegments: f.Job.AllSegments}
		var failed error
		err = partial.Reduce(all, end, opt, func(c *analyze.Connection) {
			n.Connections++
			if !c.Whole {
				n.Lacking++
			}
			c.FirstFile, c.FirstFileFrame = pcapfile.OriginIn(spans[point], c.FirstFrame)
			if failed == nil {
				failed = out.connection(c, point)
			}
		})
		return cmp.Or(err, failed, out.close())
	})
	if err != nil {
		return err
	}
	return n.emit(tell)
}

// file names the records of a point's bucket, in folders as DuckDB, Hive and Spark know them.
func (j *job) file(point string, bucket int) string {
	dir := j.Out
	if point != "" {
		dir += "/point=" + url.PathEscape(point)
	}
	return fmt.Sprintf("%s/bucket-%05d-of-%05d.%s", dir, bucket, j.Buckets, j.Format)
}

// summaryName is the file that says what became of a job; it is the last that is written.
const summaryName = "_summary.json"

type summary struct {
	Files       uint64   `json:"files"`
	Points      uint64   `json:"points"`
	Packets     uint64   `json:"packets"`
	Connections uint64   `json:"connections"`
	Warnings    []string `json:"warnings"`
	Errors      []string `json:"errors"`
}

// summaryFn adds up the notes.
type summaryFn struct{ Job job }

// ProcessElement writes the summary.
func (f *summaryFn) ProcessElement(ctx context.Context, _ int, notes func(*[]byte) bool) error {
	all := note{Unparsed: map[string]uint64{}}
	points := map[string]bool{}
	for b := []byte(nil); notes(&b); {
		var n note
		if err := json.Unmarshal(b, &n); err != nil {
			return err
		}
		all.Files, all.Packets, all.Calls = all.Files+n.Files, all.Packets+n.Packets, all.Calls+n.Calls
		all.Connections, all.Lacking, all.Dropped = all.Connections+n.Connections, all.Lacking+n.Lacking, all.Dropped+n.Dropped
		all.Errors, all.Together = append(all.Errors, n.Errors...), max(all.Together, n.Together)
		all.Unsound = append(all.Unsound, n.Unsound...)
		for reason, packets := range n.Unparsed {
			all.Unparsed[reason] += packets
		}
		if n.Point != "" || !f.Job.Join { // joined connections are of several
			points[n.Point] = true
		}
	}
	s := summary{Files: all.Files, Points: uint64(len(points)), Packets: all.Packets, Connections: all.Connections, Warnings: all.warnings(), Errors: all.Errors}
	slices.Sort(s.Errors)
	return writeWhole(ctx, f.Job.Out+"/"+summaryName, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(s)
	})
}

// warnings says what is doubtful, in closecap's words where it says so, too.
func (n *note) warnings() (w []string) {
	for _, reason := range slices.Sorted(maps.Keys(n.Unparsed)) {
		w = append(w, fmt.Sprintf("%s could not be read: %s", analyze.Count(n.Unparsed[reason], "packet"), reason))
	}
	slices.Sort(n.Unsound)
	for _, name := range slices.Compact(n.Unsound) {
		w = append(w, fmt.Sprintf("point %s missed packets that acknowledgments show: what it lacks proves nothing", name))
	}
	if n.Dropped > 0 {
		w = append(w, analyze.DropWarning(n.Dropped, n.Lacking, n.Connections))
	}
	if n.Calls > 0 {
		w = append(w, fmt.Sprintf("%s left out: closecap analyze joins calls with packets", analyze.Count(n.Calls, "call")))
	}
	if many := 64; n.Together > many {
		w = append(w, fmt.Sprintf("%d files of one point overlap in time, and were read on one machine: if they are of several hosts, name those with --point-from", n.Together))
	}
	return w
}
