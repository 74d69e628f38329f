package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/report"
)

// page is the file that --html names, filled while the result is shown. The zero page is
// asked for by nobody and takes nothing.
type page struct {
	path   string
	text   bytes.Buffer
	stream *report.Stream
}

func newPage(path, again string) *page {
	p := &page{path: path}
	if path != "" {
		p.stream = report.NewStream(&p.text, report.HTML, report.Options{Again: again})
	}
	return p
}

func (p *page) connection(c *analyze.Connection) error {
	if p.stream == nil {
		return nil
	}
	return p.stream.Connection(c)
}

// finish writes the file.
func (p *page) finish(res *analyze.Result) error {
	if p.stream == nil {
		return nil
	}
	if err := p.stream.Finish(res); err != nil {
		return err
	}
	err := replace(p.path, func(w io.Writer) error {
		_, err := p.text.WriteTo(w)
		return err
	})
	if err != nil {
		return fmt.Errorf("save page: %w", err)
	}
	return nil
}

// savePage writes a whole result to the file that --html names, if it was given.
func (o *output) savePage(res *analyze.Result) error {
	p := newPage(o.html, "")
	for _, c := range res.Connections {
		if err := p.connection(c); err != nil {
			return err
		}
	}
	return p.finish(res)
}
