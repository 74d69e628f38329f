package closecap

import (
	"context"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/points"
	"github.com/closecap/closecap/capture/intake"
)

// enoughToTell is how many segments are read to find out where captures were made.
const enoughToTell = 1 << 14

// SeesSides reports whether a source begins with packets that came into a router and left it again. It
// reads the source, which is of no use afterwards; what is wrong with it is told when it is read in earnest.
func SeesSides(ctx context.Context, src intake.Source) bool {
	sided := func(s *event.Segment) bool { return s.Has&(event.Incoming|event.Outgoing) != 0 }
	return src != nil && points.HaveSides(beginning(ctx, src, sided))
}

// SeveralPoints reports whether each two of some sources begin with the same packets at different
// times: they are captures of the same connections at as many points. As SeesSides, it uses them up.
func SeveralPoints(ctx context.Context, all []intake.Source) bool {
	begins := make([][]event.Segment, len(all))
	for i, src := range all {
		begins[i] = beginning(ctx, src, func(*event.Segment) bool { return true })
		for _, other := range begins[:i] {
			if points.Relate(other, begins[i]) != points.TwoPoints {
				return false
			}
		}
	}
	return len(all) > 1
}

// beginning returns those of the first segments of a source that are wanted, none of one with calls: those are
// joined in one timeline.
func beginning(ctx context.Context, src intake.Source, wanted func(*event.Segment) bool) (out []event.Segment) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read := 0
	for b, err := range intake.Batches(ctx, src, intake.Options{SkipChecksums: true}) {
		if err != nil {
			return out
		}
		if len(b.Calls) > 0 || b.Run != nil {
			return nil
		}
		for i := range b.Segments {
			if wanted(&b.Segments[i]) {
				out = append(out, b.Segments[i])
			}
		}
		if read += len(b.Segments); read >= enoughToTell {
			return out
		}
	}
	return out
}
