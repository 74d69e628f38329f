package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// halfCloseWords say how long only one end had closed, and what came meanwhile. A half-close it was where that
// end is known to have still read: its call ended one direction, or data came that no RST answered. Else the
// other end took so long to close, or did not; its FIN alone came so late where data that it had sent before may
// have held it up.
func halfCloseWords(c *analyze.Connection, calls []*analyze.Call) string {
	h := c.HalfClose
	if h == nil {
		return ""
	}
	bytes := "no data"
	if h.Bytes > 0 {
		bytes = count(h.Bytes, "byte")
	}
	took, other := span(event.Time(h.NS).Sub(0)), h.By.Other()
	heldUp := *c.Retransmits.Of(other) > 0 || c.Stall != nil && c.Stall.By == h.By
	call := finCall(c, calls, h.By)
	switch {
	case call != nil && !endedBoth(call), call == nil && h.Bytes > 0 && c.Reset == nil:
		took = "half-close, " + took
	case c.Fin(other) != nil && heldUp:
		return fmt.Sprintf(" (the %s's FIN came %s later, %s between)", other, took, bytes)
	case c.Fin(other) != nil:
		took = fmt.Sprintf("the %s took %s to close", other, took)
	case c.Reset != nil:
		took += " before the RST"
	}
	return fmt.Sprintf(" (%s, %s after its %s)", took, bytes, finName(c.Fin(h.By)))
}

// finName is the word for a segment that ended a stream, nil for one that is not listed.
func finName(fin *analyze.Segment) string {
	if fin != nil && fin.DataFin {
		return "DATA_FIN"
	}
	return "FIN"
}

// finCall returns the call that sent the FIN of an end, nil where none was recorded.
func finCall(c *analyze.Connection, calls []*analyze.Call, side analyze.Side) *analyze.Call {
	fin := c.Fin(side)
	if fin == nil || fin.Root.Kind != analyze.RootCall {
		return nil
	}
	return callByID(calls, fin.Root.Call)
}

// endedBoth reports whether a call ended both directions at once.
func endedBoth(c *analyze.Call) bool { return c.Kind() == event.CloseCall || shutBoth(c) }

func shutBoth(c *analyze.Call) bool {
	return c.Kind() == event.ShutdownCall && strings.Contains(c.Args, "RDWR")
}

// afterCloseWords say for what a socket the data came that drew the RST: one that had been closed, or one
// that its application still held, as far as the calls tell.
func afterCloseWords(c *analyze.Connection, calls []*analyze.Call) string {
	before := timeOf(c, c.Reset.Frame)
	ended := func(is func(*analyze.Call) bool) bool {
		return slices.ContainsFunc(calls, func(k *analyze.Call) bool {
			return k.Side == c.Reset.By && k.Errno == "" && k.Start < before && is(k)
		})
	}
	switch {
	case ended(func(k *analyze.Call) bool { return k.Kind() == event.CloseCall && len(k.Holders) == 0 }):
		return analyze.CauseCode(analyze.DataAfterClose).Words
	case ended(shutBoth):
		return "data came for a socket that its application had shut down in both directions"
	}
	return "data came for a socket that was already closed, or shut down in both directions"
}
