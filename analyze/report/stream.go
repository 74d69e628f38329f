package report

import (
	"io"

	"closecap/analyze"
)

// Stream writes connections as they are finished.
type Stream struct {
	w      io.Writer
	format Format
	opt    Options
	kept   []*analyze.Connection
}

// NewStream returns a stream to w.
func NewStream(w io.Writer, format Format, opt Options) *Stream {
	return &Stream{w: w, format: format, opt: opt}
}

// Connection adds a finished connection.
func (s *Stream) Connection(c *analyze.Connection) error {
	s.kept = append(s.kept, c)
	return nil
}

// Finish ends the report with what is known only at the end.
func (s *Stream) Finish(r *analyze.Result) error {
	view := *r
	view.Connections = s.kept
	if err := writeHeader(s.w, &view, s.opt); err != nil {
		return err
	}
	return writeCalls(s.w, &view, s.opt)
}
