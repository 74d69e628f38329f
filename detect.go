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
	return src != nil && points.HaveSides(beginning(ctx, src))
}

// SeveralPoints reports whether each two of some sources begin with the same packets at different
// times: they are captures of the same connections at as many points. As SeesSides, it uses them up.
func SeveralPoints(ctx context.Context, all []intake.Source) bool {
	begins := make([][]event.Segment, len(all))
	for i, src := range all {
		begins[i] = beginning(ctx, src)
		for _, other := range begins[:i] {
			if points.Relate(other, begins[i]) != points.TwoPoints {
				return false
			}
		}
	}
	return len(all) > 1
}

// beginning returns the first segments of a source, none of one with calls: those are joined in one timeline.
func beginning(ctx context.Context, src intake.Source) (out []event.Segment) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for b, err := range intake.Batches(ctx, src, intake.Options{SkipChecksums: true}) {
		if err != nil {
			return out
		}
		if len(b.Calls) > 0 || b.Run != nil {
			return nil
		}
		if out = append(out, b.Segments...); len(out) >= enoughToTell {
			return out
		}
	}
	return out
}
