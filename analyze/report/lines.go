package report

import (
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/report/encode"
)

// linesBody writes a line for each connection at once, and keeps none.
type linesBody struct {
	*Stream
	heading string // above them, also where there are none
	line    func([]byte, *analyze.Connection) []byte
}

func newNDJSONBody(s *Stream) body {
	e := encode.Encoder{Brief: s.opt.Brief, Spill: func(b []byte) []byte {
		s.put(b) // an error stays in the writer and comes again
		return s.room()
	}}
	return &linesBody{Stream: s, line: func(b []byte, c *analyze.Connection) []byte {
		return append(e.Connection(b, c), '\n')
	}}
}

func (l *linesBody) connection(c *analyze.Connection) error {
	if l.n == 1 && l.heading != "" {
		if err := l.put([]byte(l.heading)); err != nil {
			return err
		}
	}
	return l.put(l.line(l.room(), c))
}

func (l *linesBody) finish(*analyze.Result) error {
	if l.n > 0 || l.heading == "" {
		return nil
	}
	return l.put([]byte(l.heading))
}
