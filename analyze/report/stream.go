package report

import (
	"bufio"
	"fmt"
	"io"

	"github.com/closecap/closecap/analyze"
)

const (
	// CallsShown is up to how many connections the calls are shown of.
	CallsShown = 32
	// detailedConnections is up to how many connections are shown segment by segment.
	detailedConnections = 4
	// fittedConnections are the first ones, to which the list fits its columns. A JSON document
	// of more is written while it grows.
	fittedConnections = 1000
	// usualLine is more bytes than most connections take in NDJSON.
	usualLine = 8 << 10
)

// Stream writes connections as they are finished. What leaves at once, and what is kept until
// the end is known, is up to the format.
type Stream struct {
	w      *bufio.Writer
	print  printer
	format Format
	opt    Options
	n      int // connections so far
	body   body
	passes bool // what comes now leaves at once, and is not kept
}

// NewStream returns a stream to w. Nothing is written before the first connection.
func NewStream(w io.Writer, format Format, opt Options) *Stream {
	buffered := bufio.NewWriterSize(w, 1<<16)
	s := &Stream{w: buffered, print: printer{w: buffered, format: format, opt: opt}, format: format, opt: opt}
	s.passes = format.ConnectionsOnly()
	s.body = formOf(format).connections(s)
	return s
}

// KeepsNone reports whether the stream is done with each connection that comes from now on once it was added:
// a list keeps only the first ones.
func (s *Stream) KeepsNone() bool { return s.passes }

// Connection adds a finished connection. The stream may keep c until Finish, unless it KeepsNone.
func (s *Stream) Connection(c *analyze.Connection) error {
	s.n++
	return s.body.connection(c)
}

// Skip counts a finished connection that was not picked, so that the report can say that
// there are others.
func (s *Stream) Skip() { s.print.skipped++ }

// HideCalls counts calls that the result does not hold any more, so that the report can say that there
// were some.
func (s *Stream) HideCalls(n int) { s.print.hidden += n }

// Flush writes what was shown and is still buffered.
func (s *Stream) Flush() error {
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", s.format, err)
	}
	return nil
}

// room returns where in the writer's own buffer the next line may stand, so that put has
// nothing to copy.
func (s *Stream) room() []byte {
	if s.w.Available() < usualLine {
		s.w.Flush() // an error stays and comes again from put
	}
	return s.w.AvailableBuffer()
}

func (s *Stream) put(b []byte) error {
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("write %s: %w", s.format, err)
	}
	return nil
}

// Finish ends the report with what is known only at the end: everything of r but its
// connections. It does not close the writer.
func (s *Stream) Finish(r *analyze.Result) error {
	view := *r
	if err := s.body.finish(&view); err != nil {
		return err
	}
	return s.Flush()
}

// inOrder runs the steps up to the first error.
func inOrder(steps ...func(*analyze.Result) error) func(*analyze.Result) error {
	return func(r *analyze.Result) error {
		for _, step := range steps {
			if err := step(r); err != nil {
				return err
			}
		}
		return nil
	}
}

// hiddenCalls says that calls were recorded which this view does not show.
func (p *printer) hiddenCalls(r *analyze.Result) error {
	n := len(r.Calls) + p.hidden
	if n == 0 {
		return nil
	}
	return p.print(line{style: dim, hang: 2, text: fmt.Sprintf("%s not shown: they are for up to %d connections",
		count(uint64(n), "call"), CallsShown)})
}

// notDrawn says how many connections a picture leaves out.
func (s *Stream) notDrawn(*analyze.Result) error {
	if s.n <= CallsShown {
		return nil
	}
	return s.print.print(line{style: warn, hang: 2, text: fmt.Sprintf("%s not drawn: pick one with --conn, or some with --ending",
		count(uint64(s.n-CallsShown), "connection"))})
}
