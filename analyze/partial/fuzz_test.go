package partial_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/partial"
)

// FuzzPart reads any bytes: they are parts that merge to themselves, or refused with the reason.
func FuzzPart(f *testing.F) {
	for _, c := range captures(f)[:60] {
		for _, part := range pack(f, 1, c.segments[:min(len(c.segments), 40)])[0] {
			f.Add(part[8:])
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		part := partial.Sealed(body)
		merged, err := partial.Merge([][]byte{part})
		if err != nil {
			if !errors.Is(err, partial.ErrPart) {
				t.Errorf("error %v", err)
			}
			return
		}
		again, err := partial.Merge(merged)
		if err != nil || !slices.EqualFunc(merged, again, bytes.Equal) {
			t.Errorf("merged, and merged again: %x, %x, %v", merged, again, err)
		}
		if err := partial.Reduce(merged, 0, analyze.Options{}, func(c *analyze.Connection) {
			if n := c.Packets.Client + c.Packets.Server; n == 0 || n > uint64(len(body)) {
				t.Errorf("a connection of %d packets from %d bytes", n, len(body))
			}
		}); err != nil {
			t.Error(err)
		}
	})
}
