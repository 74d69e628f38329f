package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/join"
	"github.com/closecap/closecap/analyze/report"
)

// rows shows each connection of a running program when nothing more can come of it, and lets go of
// its packets and calls. Other forms than rows, and tables of few connections, need everything.
type rows struct {
	stream *report.Stream
	spool  *os.File // where the rows wait until the program has ended; nil when they don't
	shown  int      // connections
	frames uint64   // rows of packets and calls that were numbered
	err    error
}

// When nothing more can come of a pair of ends whose sockets the program has closed, after their last
// packet: of a reset connection, of one that closed (TIME_WAIT may answer), and of any other, on which
// the kernel still tries (TCP_RTO_MAX is 120 s).
const (
	quietReset  = 10 * time.Second
	quietClosed = 60 * time.Second
	quietOpen   = 130 * time.Second
)

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
func (r *rows) show(rec *event.Recording) {
	numberRows(rec)
	for i := range rec.Segments {
		rec.Segments[i].Frame += r.frames
	}
	for i := range rec.Calls {
		rec.Calls[i].ID += int(r.frames)
	}
	r.frames += uint64(len(rec.Segments) + len(rec.Calls))
	for _, c := range join.Join(rec, analyze.Options{}).Connections {
		r.shown++
		c.ID = r.shown
		if r.err == nil {
			r.err = r.stream.Connection(c)
		}
	}
}

// many reports whether there are more connections than a table shows calls for.
func (s *session) many() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ends) > report.CallsShown
}

// rest shows what is left, and returns what the report says of all.
func (s *session) rest() *analyze.Result {
	run := s.facts()
	for _, rec := range s.finished(present(), true) {
		rec.Run.Dropped = run.Dropped
		s.rows.show(rec)
	}
	s.rows.stream.HideCalls(s.calls)
	res := join.Join(&event.Recording{Run: run}, analyze.Options{})
	res.Capture.Packets, res.Capture.Segments = s.frames, s.frames
	res.Capture.First, res.Capture.Last = s.first, s.last
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

// sweep shows what is over. dropped is how many packets the capture has lost so far.
func (s *session) sweep(r *rows, dropped uint64) {
	for _, rec := range s.finished(present(), false) {
		rec.Run.Dropped = dropped
		r.show(rec)
	}
	if r.err == nil {
		r.err = r.stream.Flush()
	}
}

// finished takes what is over out of the session; with end, everything is.
func (s *session) finished(now event.Time, end bool) []*event.Recording {
	s.mu.Lock()
	var recs []*event.Recording
	var forgotten []*conn
	listeners := s.listeners(now)
	for _, c := range s.ends {
		if s.ends[c.pair] != c || !end && !c.quiet(now) {
			continue
		}
		conns, sockets := c.cluster()
		if !end && !isOver(conns, sockets, now) {
			continue
		}
		rec := &event.Recording{Run: s.run, Calls: append([]event.Call{}, listeners...)}
		for _, c := range conns {
			rec.Segments = append(rec.Segments, c.segments...)
			s.kept -= len(c.segments) * segmentSize
			delete(s.ends, c.pair)
		}
		for _, k := range sockets {
			rec.Calls = append(rec.Calls, k.calls...)
			s.letGo(k)
		}
		recs, forgotten = append(recs, rec), append(forgotten, conns...)
	}
	s.mu.Unlock()
	for _, c := range forgotten {
		s.scope.Forget(c.pair)
	}
	return recs
}

// listeners returns the calls on listening sockets, which any connection may need, and lets go of the
// sockets of which no connection can come any more.
func (s *session) listeners(now event.Time) []event.Call {
	var calls []event.Call
	for _, k := range s.sockets {
		switch {
		case k.listening && (k.closed == 0 || now.Sub(k.closed) < quietOpen+quietClosed):
			calls = append(calls, k.calls...)
		case k.cookie == 0 || len(k.conns) == 0 && k.closed != 0:
			s.letGo(k)
		}
	}
	return calls
}

func (s *session) letGo(k *socket) {
	for i := range k.calls {
		s.kept -= callSize(&k.calls[i])
	}
	delete(s.sockets, k.cookie)
}

// cluster returns the connections that share sockets with c, and the sockets. Most have one or two.
func (c *conn) cluster() (conns []*conn, sockets []*socket) {
	seen := map[*conn]bool{c: true}
	conns = []*conn{c}
	for i := 0; i < len(conns); i++ {
		for _, k := range conns[i].sockets {
			if slices.Contains(sockets, k) {
				continue
			}
			sockets = append(sockets, k)
			for _, other := range k.conns {
				if !seen[other] {
					seen[other] = true
					conns = append(conns, other)
				}
			}
		}
	}
	return conns, sockets
}

func isOver(conns []*conn, sockets []*socket, now event.Time) bool {
	for _, k := range sockets {
		if k.closed == 0 || now.Sub(k.closed) < quietReset {
			return false
		}
	}
	for _, c := range conns {
		if !c.quiet(now) {
			return false
		}
	}
	return true
}

// quiet reports whether the last packet came so long ago that nothing can follow it.
func (c *conn) quiet(now event.Time) bool {
	if len(c.segments) == 0 {
		return len(c.sockets) > 0
	}
	wait := quietOpen
	switch {
	case c.reset:
		wait = quietReset
	case c.fins[0] && c.fins[1]:
		wait = quietClosed
	}
	return now.Sub(c.segments[len(c.segments)-1].Time) >= wait
}
