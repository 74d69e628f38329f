package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/join"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/session"
)

// rows shows each connection of a running program when nothing more can come of it, and lets go of
// its packets and calls. Other forms than rows, and tables of few connections, need everything.
type rows struct {
	stream *report.Stream
	spool  *os.File // where the rows wait until the program has ended; nil when they don't
	shown  int      // connections
	words  *overheard
	err    error
}

// newRows returns rows that go to w at once, or with nil wait in a file of their own.
func newRows(w io.Writer, format report.Format, opt report.Options) (*rows, error) {
	r := &rows{}
	if w == nil {
		f, err := os.CreateTemp("", "closecap-")
		if err != nil {
			return nil, fmt.Errorf("keep rows: %w", err)
		}
		if err := os.Remove(f.Name()); err != nil {
			return nil, fmt.Errorf("keep rows: %w", err)
		}
		r.spool, w = f, f
	}
	r.stream = report.NewStream(w, format, opt)
	return r, nil
}

// show adds what a recording of whole connections tells.
func (r *rows) show(part *session.Part) {
	res := join.Join(part.Recording, analyze.Options{})
	r.words.tell(part, res)
	ids := map[int]int{}
	for _, c := range res.Connections {
		r.shown++
		ids[c.ID], c.ID = r.shown, r.shown
	}
	for _, c := range res.Connections {
		if c.Relay != nil {
			c.Relay.Leg = ids[c.Relay.Leg]
		}
		if r.err == nil {
			r.err = r.stream.Connection(c)
		}
	}
}

// sweep shows what is over in s. dropped is how many packets the capture has lost so far.
func (r *rows) sweep(s *session.Session, now event.Time, dropped uint64) {
	for _, part := range s.Over(now) {
		part.Run.Dropped = dropped
		r.show(&part)
	}
	if r.err == nil {
		r.err = r.stream.Flush()
	}
}

// rest shows what is left in s, and returns what the report says of all.
func (r *rows) rest(s *session.Session) *analyze.Result {
	run := s.Run()
	for _, part := range s.Rest(present()) {
		part.Run.Dropped = run.Dropped
		r.show(&part)
	}
	all := s.Totals()
	r.stream.HideCalls(all.Calls)
	res := join.Join(&event.Recording{Run: run}, analyze.Options{})
	res.Capture.Packets, res.Capture.Segments = all.Packets, all.Packets
	res.Capture.First, res.Capture.Last = all.First, all.Last
	return res
}

// finish ends the report. What waited goes to w.
func (r *rows) finish(w io.Writer, res *analyze.Result) error {
	err := errors.Join(r.err, r.stream.Finish(res))
	if r.spool == nil || err != nil {
		return err
	}
	defer r.spool.Close()
	if _, err := r.spool.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	_, err = io.Copy(w, r.spool)
	return writeFailed(err)
}

func present() event.Time { return event.Time(time.Now().UnixNano()) }
