package report

import (
	"bufio"
	"fmt"
	"io"

	"github.com/closecap/closecap/analyze"
)

const (
	// keptConnections is up to how many connections calls are shown for.
	keptConnections = 32
	// detailedConnections is up to how many connections are shown segment by segment.
	detailedConnections = 4
	// fittedConnections are the first ones, to which the list fits its columns. A JSON document
	// of more is written while it grows.
	fittedConnections = 1000
	// usualLine is more bytes than most connections take in NDJSON.
	usualLine = 8 << 10
)

// Stream writes connections as they are finished. NDJSON and CSV leave at once. A table keeps
// the first ones, until it knows how wide they are and whether there are few enough to show
// each segment.
type Stream struct {
	w        *bufio.Writer
	print    printer
	format   Format
	opt      Options
	kept     []*analyze.Connection
	n        int
	list     *list     // nil until the list has begun
	document *document // nil until there are too many connections to keep
	summary  *summary
	encoder  encoder
}

// NewStream returns a stream to w. Nothing is written before the first connection.
func NewStream(w io.Writer, format Format, opt Options) *Stream {
	buffered := bufio.NewWriterSize(w, 1<<16)
	return &Stream{w: buffered, print: printer{w: buffered, format: format, opt: opt}, format: format, opt: opt, summary: newSummary()}
}

// Connection adds a finished connection. The stream may keep c until Finish.
func (s *Stream) Connection(c *analyze.Connection) error {
	s.n++
	switch s.format {
	case NDJSON:
		return s.put(append(s.encoder.connection(s.room(), c), '\n'))
	case CSV:
		if s.n == 1 {
			if err := s.put([]byte(csvHeading())); err != nil {
				return err
			}
		}
		return s.put(appendCSV(s.room(), c))
	}
	s.summary.add(c)
	if s.format.draws() || s.format == HTML {
		if s.n <= keptConnections || s.format == HTML && s.n <= maxPage {
			s.kept = append(s.kept, c)
		}
		return nil
	}
	switch {
	case s.list != nil:
		return s.list.row(c)
	case s.document != nil:
		return s.document.connection(c)
	case s.opt.Summary && s.format != JSON && s.n > keptConnections:
		return nil
	}
	s.kept = append(s.kept, c)
	switch {
	case s.n < fittedConnections:
		return nil
	case s.format == JSON:
		return s.startDocument()
	}
	return s.startList(true)
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

// startList begins the list with the connections kept so far.
func (s *Stream) startList(more bool) error {
	s.list = &list{}
	first := s.kept
	s.kept = nil
	return s.list.start(&s.print, first, more)
}

// startDocument begins the JSON document with the connections kept so far.
func (s *Stream) startDocument() error {
	s.document = &document{w: s.w}
	for _, c := range s.kept {
		if err := s.document.connection(c); err != nil {
			return err
		}
	}
	s.kept = nil
	return nil
}

// Finish ends the report with what is known only at the end: everything of r but its
// connections. It does not close the writer.
func (s *Stream) Finish(r *analyze.Result) error {
	if err := s.finish(r); err != nil {
		return err
	}
	return s.Flush()
}

func (s *Stream) finish(r *analyze.Result) error {
	view := *r
	view.Connections = s.kept
	switch {
	case s.format == NDJSON:
		return nil
	case s.format == CSV:
		if s.n == 0 {
			return s.put([]byte(csvHeading()))
		}
		return nil
	case s.document != nil:
		return s.document.end(&view)
	case s.format == JSON:
		return writeDocument(s.w, &view)
	case s.format == HTML:
		return writeHTML(s.w, &view, s.n)
	case s.format == SVG:
		return writeSVG(s.w, &view)
	case s.format == Mermaid:
		if len(view.Connections) == 0 {
			_, err := fmt.Fprintf(s.w, "sequenceDiagram\n    %%%% %s\n", s.print.nothing())
			return err
		}
		return writeMermaid(s.w, &view)
	case s.format == Ladder:
		return inOrder(s.print.wireHeader, s.print.ladders, s.notDrawn, s.print.footer)(&view)
	case len(r.Calls) > 0 && s.n <= keptConnections && !s.opt.Summary:
		return inOrder(s.print.header, s.print.calls, s.print.verdicts, s.print.footer)(&view)
	case s.n <= detailedConnections && !s.opt.Summary:
		return inOrder(s.print.wireHeader, s.print.connections, s.print.footer)(&view)
	}
	return s.finishList(&view)
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

func (s *Stream) finishList(r *analyze.Result) error {
	if !s.opt.Summary {
		if s.list == nil {
			if err := s.startList(false); err != nil {
				return err
			}
		}
		if err := s.list.end(); err != nil {
			return err
		}
	}
	head := *r
	head.Connections = nil
	return inOrder(s.print.header, s.summaryTables, s.print.hiddenCalls, s.print.footer)(&head)
}

func (s *Stream) summaryTables(*analyze.Result) error { return s.print.summary(s.summary) }

// hiddenCalls says that calls were recorded which this view does not show.
func (p *printer) hiddenCalls(r *analyze.Result) error {
	n := len(r.Calls) + p.hidden
	if n == 0 {
		return nil
	}
	return p.print(line{style: dim, hang: 2, text: fmt.Sprintf("%s not shown: they are for up to %d connections",
		count(uint64(n), "call"), keptConnections)})
}

// notDrawn says how many connections a picture leaves out.
func (s *Stream) notDrawn(*analyze.Result) error {
	if s.n <= keptConnections {
		return nil
	}
	return s.print.print(line{style: warn, hang: 2, text: fmt.Sprintf("%s not drawn: pick one with --conn, or some with --ending",
		count(uint64(s.n-keptConnections), "connection"))})
}
