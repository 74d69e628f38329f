package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"closecap/analyze"
)

// writeDocument writes r as one JSON document. Lists that are empty are [], never null.
func writeDocument(w io.Writer, r *analyze.Result) error {
	whole := *r
	if whole.Connections == nil {
		whole.Connections = []*analyze.Connection{}
	}
	if whole.Warnings == nil {
		whole.Warnings = []string{}
	}
	return writeJSON(w, "  ", &whole)
}

// document is a JSON document of so many connections that they are written as they come, one a
// line, before the rest.
type document struct {
	w       io.Writer
	encoder encoder
	line    []byte
	n       int
}

func (d *document) connection(c *analyze.Connection) error {
	d.line = d.line[:0]
	if d.n == 0 {
		d.line = append(d.line, "{\n  \"schema\": "+strconv.Itoa(analyze.Schema)+",\n  \"connections\": ["...)
	} else {
		d.line = append(d.line, ',')
	}
	d.n++
	d.line = d.encoder.connection(append(d.line, "\n    "...), c)
	if _, err := d.w.Write(d.line); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}

// end writes all of r but its schema and its connections.
func (d *document) end(r *analyze.Result) error {
	whole := *r
	if whole.Warnings == nil {
		whole.Warnings = []string{}
	}
	rest := struct {
		*analyze.Result
		Schema      *int `json:"schema,omitempty"`
		Connections *int `json:"connections,omitempty"`
	}{Result: &whole}
	var text bytes.Buffer
	if err := writeJSON(&text, "  ", rest); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(d.w, "\n  ],%s", bytes.TrimPrefix(text.Bytes(), []byte("{"))); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}

// writeJSON writes v on lines that indent is put before, on one line where it is "".
func writeJSON(w io.Writer, indent string, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}
