package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/report/encode"
)

// writeDocument writes r, the body's copy, as one JSON document. Lists that are empty are [], never
// null.
func writeDocument(w io.Writer, r *analyze.Result) error {
	whole := noNulls(r)
	if whole.Connections == nil {
		whole.Connections = []*analyze.Connection{}
	}
	return writeJSON(w, "  ", &whole)
}

// noNulls returns r with empty lists for its calls and warnings where it has none.
func noNulls(r *analyze.Result) analyze.Result {
	whole := *r
	if whole.Calls == nil {
		whole.Calls = []*analyze.Call{}
	}
	if whole.Warnings == nil {
		whole.Warnings = []string{}
	}
	return whole
}

// documentBody writes one JSON document. Of so many connections or calls that they would fill the
// memory, they are written as they come, one a line, before the rest.
type documentBody struct {
	*Stream
	kept    []*analyze.Connection
	summary *summary
	begun   bool // connections are written as they come
	encoder encode.Encoder
	line    []byte
}

func newDocumentBody(s *Stream) body {
	d := &documentBody{Stream: s, summary: newSummary(s.opt.TimeWait)}
	d.encoder.Spill = func(b []byte) []byte {
		d.line = b
		d.flush() // an error stays in the writer and comes again
		return d.line
	}
	return d
}

func (d *documentBody) connection(c *analyze.Connection) error {
	d.summary.add(c)
	if d.begun {
		return d.write(c, ",")
	}
	d.kept = append(d.kept, c)
	if d.n < fittedConnections {
		return nil
	}
	return d.begin()
}

func (d *documentBody) finish(r *analyze.Result) error {
	if d.n > detailedConnections {
		r.Findings = d.summary.findings(r.Capture.Last, d.opt.Again)
	}
	if !d.begun && len(r.Calls) <= heldRows {
		r.Connections = d.kept
		return writeDocument(d.w, r)
	}
	if !d.begun {
		if err := d.begin(); err != nil {
			return err
		}
	}
	return d.end(r)
}

// begin starts the document with the connections kept so far.
func (d *documentBody) begin() error {
	d.begun, d.passes = true, true
	d.line = append(d.line, "{\n  \"schema\": "+strconv.Itoa(analyze.Schema)+",\n  \"connections\": ["...)
	separator := ""
	for _, c := range d.kept {
		if err := d.write(c, separator); err != nil {
			return err
		}
		separator = ","
	}
	d.kept = nil
	return nil
}

// write adds a connection to the document.
func (d *documentBody) write(c *analyze.Connection, separator string) error {
	d.line = d.encoder.Connection(append(append(d.line, separator...), "\n    "...), c)
	return d.flush()
}

// flush hands the writer what was put together, and empties it.
func (d *documentBody) flush() error {
	_, err := d.w.Write(d.line)
	d.line = d.line[:0]
	if err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}

// calls adds them to the document.
func (d *documentBody) calls(all []*analyze.Call) error {
	d.line = append(d.line, "\n  \"calls\": ["...)
	separator := ""
	for _, c := range all {
		d.line = d.encoder.Call(append(append(d.line, separator...), "\n    "...), c)
		separator = ","
		if err := d.flush(); err != nil {
			return err
		}
	}
	d.line = append(d.line, "\n  ],"...)
	return nil
}

// end writes all of r but its schema and what is written of its connections.
func (d *documentBody) end(r *analyze.Result) error {
	d.line = append(d.line, "\n  ],"...)
	if err := d.calls(r.Calls); err != nil {
		return err
	}
	whole := noNulls(r)
	rest := struct {
		*analyze.Result
		Schema      *int `json:"schema,omitempty"`
		Connections *int `json:"connections,omitempty"`
		Calls       *int `json:"calls,omitempty"`
	}{Result: &whole}
	var text bytes.Buffer
	if err := writeJSON(&text, "  ", rest); err != nil {
		return err
	}
	d.line = append(d.line, bytes.TrimPrefix(text.Bytes(), []byte("{"))...)
	return d.flush()
}

// writeJSON writes v on lines that indent is put before, on one line where it is "". What
// encoding/json leaves as it is though it could drive a terminal is escaped too.
func writeJSON(w io.Writer, indent string, v any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	err := e.Encode(v)
	if err == nil {
		_, err = w.Write(encode.EscapeUnseen(text.Bytes()))
	}
	if err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}
