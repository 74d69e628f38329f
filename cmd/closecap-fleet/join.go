package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows"
	"github.com/closecap/closecap/analyze/partial"
	"github.com/closecap/closecap/analyze/points"
	"github.com/closecap/closecap/capture/pcapfile"
)

func init() {
	for _, fn := range []any{&splitFn{}, &joinFn{}} {
		beam.RegisterDoFn(fn)
	}
}

func newJoin(std streams) *cobra.Command {
	f := analyzeFlags{job: job{Join: true}}
	cmd := &cobra.Command{
		Use:   "join --in PATTERN... --point-from REGEXP --out DIR [-- BEAM-OPTION...]",
		Short: "What several capture points saw of the same connections, as one",
		Long: `Read captures of several points, as closecap analyze --point does, on as many machines as a runner of
Apache Beam has: each packet is one packet wherever it was seen, what was lost and made between the points is told
(vantages, path), and connections are found again behind address translation. One file of records is written for each
bucket.`,
		Example: `  closecap-fleet join --in 'captures/host=*/*' --point-from 'host=([^/]+)' --router gw --out joined`,
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), args, std) },
	}
	f.flags(cmd)
	cmd.Flags().StringArrayVar(&f.job.Routers, "router", nil, "a point whose captures hold what came into a router and what left it, as tcpdump -i any does")
	return cmd
}

// known is what a point's parts say of the whole point.
type known struct {
	Point       string
	First, Last event.Time
	Dropped     uint64
	Facts       points.Facts
}

func (k known) emit(to func([]byte)) error {
	b, err := json.Marshal(k)
	if err == nil {
		to(b)
	}
	return err
}

// knownByPoint unites what the parts of each point say.
func knownByPoint(each func(*[]byte) bool) (map[string]*known, error) {
	all := map[string]*known{}
	for b := []byte(nil); each(&b); b = nil {
		var k known
		if err := json.Unmarshal(b, &k); err != nil {
			return nil, err
		}
		o := all[k.Point]
		if o == nil {
			o = &known{First: k.First}
			all[k.Point] = o
		}
		if k.First != 0 && (o.First == 0 || k.First < o.First) {
			o.First = k.First
		}
		o.Last, o.Dropped = max(o.Last, k.Last), o.Dropped+k.Dropped
		slices.Sort(k.Facts.Strays)
		o.Facts.Add(k.Facts)
	}
	return all, nil
}

// joins adds to a pipeline what packed parts go through: dealt out by connection instead of by 4-tuple, and joined.
func (j *job) joins(s beam.Scope, parts, spans, dropped, times beam.PCollection) beam.PCollection {
	pieces, facts := beam.ParDo2(s.Scope("split"), &splitFn{Job: *j}, beam.GroupByKey(s, parts))
	all := beam.Flatten(s, facts, dropped, times)
	return beam.ParDo(s.Scope("join"), &joinFn{Job: *j}, beam.GroupByKey(s, pieces), beam.SideInput{Input: all}, beam.SideInput{Input: spans})
}

// point is a point as it is joined, yet without segments.
func (j *job) point(name string) points.Point {
	return points.Point{Name: name, Sides: slices.Contains(j.Routers, name)}
}

// splitFn deals out a point's bucket of 4-tuples into shares of connections.
type splitFn struct{ Job job }

// ProcessElement emits parts by share, and what they say of the point.
func (f *splitFn) ProcessElement(key string, parts func(*[]byte) bool, emit func(share string, part []byte), tell func([]byte)) error {
	name, _, err := ofKey(key)
	if err != nil {
		return err
	}
	var all [][]byte
	for part := []byte(nil); parts(&part); part = nil {
		all = append(all, part)
	}
	p := f.Job.point(name)
	if err := partial.Unpack(all, func(s *event.Segment) { p.Segments = append(p.Segments, *s) }); err != nil {
		return err
	}
	shares, facts := points.Split(p, f.Job.Buckets)
	for at, segments := range shares {
		packer, err := partial.NewPacker(name, 1, func(_ int, part []byte) error {
			emit(fmt.Sprintf("%05d", at), part)
			return nil
		})
		if err != nil {
			return err
		}
		if err := cmp.Or(packer.Add(segments), packer.Flush()); err != nil {
			return err
		}
	}
	return known{Point: name, Facts: facts}.emit(tell)
}

// joinFn joins the points of a share, and writes its connections.
type joinFn struct{ Job job }

// ProcessElement writes a file, the same each time it is asked to.
func (f *joinFn) ProcessElement(ctx context.Context, share string, parts func(*[]byte) bool, whole func(*[]byte) bool, origins func(*string, *[]byte) bool, tell func([]byte)) error {
	of, err := knownByPoint(whole)
	if err != nil {
		return err
	}
	spans, err := spansByPoint(origins)
	if err != nil {
		return err
	}
	packed := map[string][][]byte{}
	for part := []byte(nil); parts(&part); part = nil {
		point, err := partial.PointOf(part)
		if err != nil {
			return err
		}
		packed[point] = append(packed[point], part)
	}
	var all []points.Point
	facts := map[string]points.Facts{}
	for _, name := range slices.Sorted(maps.Keys(packed)) {
		p := f.Job.point(name)
		k := cmp.Or(of[name], &known{})
		p.First, p.Last, p.Dropped, facts[name] = k.First, k.Last, k.Dropped, k.Facts
		if err := partial.Unpack(packed[name], func(s *event.Segment) { p.Segments = append(p.Segments, *s) }); err != nil {
			return err
		}
		slices.SortStableFunc(p.Segments, func(a, b event.Segment) int { return cmp.Compare(a.Frame, b.Frame) })
		all = append(all, p)
	}
	together := points.JoinShare(all, facts)
	n := note{Unsound: together.Unsound}
	err = writeWhole(ctx, fmt.Sprintf("%s/bucket-%s-of-%05d.%s", f.Job.Out, share, f.Job.Buckets, f.Job.Format), func(w io.Writer) error {
		out, err := newRecords(w, &f.Job)
		if err != nil {
			return err
		}
		err = f.Job.joined(together, func(c *analyze.Connection) error {
			n.Connections++
			if !c.Whole {
				n.Lacking++
			}
			if files, frame, ok := points.First(c, spans); ok {
				c.FirstFile, c.FirstFileFrame = pcapfile.OriginIn(files, frame)
			}
			return out.connection(c, "")
		})
		return cmp.Or(err, out.close())
	})
	if err != nil {
		return err
	}
	return n.emit(tell)
}

// joined follows what was joined. A joined packet's frame numbers those of its share, and what one connection tells of
// another, which may be in another share, is not told.
func (j *job) joined(all *points.Joined, each func(*analyze.Connection) error) (failed error) {
	f := flows.NewFollower(analyze.Options{TimeWait: j.TimeWait, AllSegments: j.AllSegments}, func(c *analyze.Connection) {
		all.Annotate(c)
		failed = cmp.Or(failed, each(c))
	})
	f.Alone()
	f.Segments(all.Segments)
	f.Finish()
	return failed
}
