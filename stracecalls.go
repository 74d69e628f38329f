package closecap

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/terminal"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/trace/stracelog"
)

// addCalls reads the logs of strace into rec, and leaves of the capture what is about their sockets.
// Where there are none it does nothing.
func (a *Analysis) addCalls(rec *event.Recording) error {
	if len(a.opt.StraceLogs) == 0 {
		return nil
	}
	log, err := stracelog.ReadFiles(a.opt.StraceLogs, stracelog.Options{Near: a.counts.First})
	if errors.Is(err, stracelog.ErrTooMany) {
		return hint.With(err, "trace less: strace -e trace=network,close,exit_group, or cut the log to the time of the capture")
	}
	if err != nil {
		return err
	}
	if log.Lines > 0 && log.Unparsed == log.Lines {
		u := log.Examples[0]
		return fmt.Errorf("read strace log: nothing in %s could be read: %s: %s", analyze.Count(uint64(log.Lines), "line"), u.At, u.Why)
	}
	rec.Calls = log.Calls
	for i, c := range rec.Calls {
		c.ID = i + 1
	}
	rec.Run.Tool, rec.Run.Source, rec.Run.LinkType = a.opt.Tool, a.opt.Source, a.linkTypes()
	rec.Run.Dropped = a.src.Dropped()
	rec.Run.Warnings = append(rec.Run.Warnings, log.Warnings...)
	if log.Unparsed > 0 {
		rec.Run.Warnings = append(rec.Run.Warnings, fmt.Sprintf("%s of %s of the log could not be read",
			analyze.Grouped(uint64(log.Unparsed)), analyze.Count(uint64(log.Lines), "line")))
		for _, u := range log.Examples {
			rec.Run.Warnings = append(rec.Run.Warnings, terminal.Safe(fmt.Sprintf("%s: %s: %s", u.At, u.Why, u.Text)))
		}
	}

	before := len(rec.Segments)
	own := ownEnds(rec.Calls)
	if len(own.pairs)+len(own.listeners) == 0 {
		rec.Run.Warnings = append(rec.Run.Warnings, "the log names no TCP socket's address (strace -yy prints them)")
		return nil
	}
	rec.Segments = slices.DeleteFunc(rec.Segments, func(s event.Segment) bool { return !own.has(&s) })
	if others := before - len(rec.Segments); others > 0 {
		rec.Run.Warnings = append(rec.Run.Warnings, fmt.Sprintf("left out %s of other programs", analyze.Count(uint64(others), "segment")))
	}
	return nil
}

// endpoints are what the sockets of a log were connected to, and where they listened. A local port alone
// says nothing: Linux gives one to several connections at once.
type endpoints struct {
	pairs     map[event.Pair]bool
	listeners map[netip.AddrPort]bool
}

func ownEnds(calls []*event.Call) endpoints {
	own := endpoints{map[event.Pair]bool{}, map[netip.AddrPort]bool{}}
	for _, c := range calls {
		switch known := c.Local.IsValid() && c.Local.Port() != 0; {
		case known && c.Remote.IsValid():
			own.pairs[event.PairOf(c.Local, c.Remote)] = true
		case known && (c.Name == "listen" || c.Name == "accept"):
			own.listeners[c.Local] = true
		}
	}
	return own
}

func (e endpoints) has(s *event.Segment) bool {
	if e.pairs[event.PairOf(s.Src, s.Dst)] {
		return true
	}
	for _, end := range [...]netip.AddrPort{s.Src, s.Dst} {
		for _, at := range event.Everywhere(end) {
			if e.listeners[at] {
				return true
			}
		}
	}
	return false
}
