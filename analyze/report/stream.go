package report

import (
	"bufio"
	"fmt"
	"io"

	"closecap/analyze"
)

const (
	// keptConnections are kept whole, for the views that show segments.
	keptConnections = 32
	// listBlock is how many connections the list fits its columns to at a time. A longer
	// list is written in such blocks, so that it needs no memory of its own.
	listBlock = 1000
)

// Stream writes connections as they are finished. NDJSON and CSV leave at once. A table keeps
// the first connections, until it knows whether there are few enough to show each segment.
type Stream struct {
	w       *bufio.Writer
	print   printer
	format  Format
	opt     Options
	buf     []byte
	kept    []*analyze.Connection
	block   []*analyze.Connection // of the list, not yet written
	n       int
	headed  bool
	summary *Summary
	encoder encoder
}

// NewStream returns a stream to w. Nothing is written before the first connection.
func NewStream(w io.Writer, format Format, opt Options) *Stream {
	buffered := bufio.NewWriterSize(w, 1<<16)
	return &Stream{w: buffered, print: printer{buffered, format, opt}, format: format, opt: opt, summary: NewSummary()}
}

// Connection adds a finished connection. The stream may keep c until Finish.
func (s *Stream) Connection(c *analyze.Connection) error {
	s.n++
	switch s.format {
	case NDJSON:
		s.buf = append(s.encoder.connection(s.buf[:0], c), '\n')
		return s.put(s.buf)
	case CSV:
		if s.n == 1 {
			if err := s.put([]byte(csvHeading())); err != nil {
				return err
			}
		}
		s.buf = appendCSV(s.buf[:0], c)
		return s.put(s.buf)
	}
	s.summary.Add(c)
	switch {
	case s.n <= keptConnections || s.format == JSON:
		s.kept = append(s.kept, c)
	case s.opt.Summary:
	default:
		s.block = append(s.block, c)
		if len(s.block) == listBlock {
			return s.flushBlock()
		}
	}
	return nil
}

func (s *Stream) put(b []byte) error {
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("write %s: %w", s.format, err)
	}
	return nil
}

// flushBlock writes the part of the list that is at hand.
func (s *Stream) flushBlock() error {
	block := s.block
	if !s.headed {
		block = append(s.kept, block...)
	}
	s.headed, s.block = true, s.block[:0]
	return s.print.list(block)
}

// Finish ends the report with what is known only at the end: everything of r but its
// connections. It does not close the writer.
func (s *Stream) Finish(r *analyze.Result) error {
	if err := s.finish(r); err != nil {
		return err
	}
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", s.format, err)
	}
	return nil
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
	case s.format == JSON:
		return writeDocument(s.w, &view)
	case len(r.Calls) > 0 && s.n <= keptConnections && !s.opt.Summary:
		return inOrder(s.print.header, s.print.calls, s.print.verdicts, s.print.footer)(&view)
	case s.n <= s.opt.detail() && !s.opt.Summary:
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
	if !s.opt.Summary && (len(s.block) > 0 || !s.headed) {
		if err := s.flushBlock(); err != nil {
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
	if len(r.Calls) == 0 {
		return nil
	}
	return p.print(line{style: dim, hang: 2, text: fmt.Sprintf("%s not shown: they are for up to %d connections",
		count(uint64(len(r.Calls)), "call"), keptConnections)})
}
