package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode"

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

// documentBody writes one JSON document. Of so many connections that they are not kept, they are
// written as they come, one a line, before the rest.
type documentBody struct {
	*Stream
	kept    []*analyze.Connection
	begun   bool // the connections are written as they come
	encoder encode.Encoder
	line    []byte
}

func newDocumentBody(s *Stream) body { return &documentBody{Stream: s} }

func (d *documentBody) connection(c *analyze.Connection) error {
	if d.begun {
		return d.write(c)
	}
	d.kept = append(d.kept, c)
	if d.n < fittedConnections {
		return nil
	}
	for _, c := range d.kept {
		if err := d.write(c); err != nil {
			return err
		}
	}
	d.kept = nil
	return nil
}

func (d *documentBody) finish(r *analyze.Result) error {
	if d.begun {
		return d.end(r)
	}
	r.Connections = d.kept
	return writeDocument(d.w, r)
}

// write adds a connection to the document, which the first one begins.
func (d *documentBody) write(c *analyze.Connection) error {
	d.line = d.line[:0]
	if !d.begun {
		d.line = append(d.line, "{\n  \"schema\": "+strconv.Itoa(analyze.Schema)+",\n  \"connections\": ["...)
	} else {
		d.line = append(d.line, ',')
	}
	d.begun = true
	d.line = d.encoder.Connection(append(d.line, "\n    "...), c)
	if _, err := d.w.Write(d.line); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}

// end writes all of r but its schema and its connections.
func (d *documentBody) end(r *analyze.Result) error {
	whole := noNulls(r)
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

// writeJSON writes v on lines that indent is put before, on one line where it is "". What
// encoding/json leaves as it is though it could drive a terminal is escaped too.
func writeJSON(w io.Writer, indent string, v any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	err := e.Encode(v)
	if err == nil {
		_, err = w.Write(escapeUnseen(text.Bytes()))
	}
	if err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}

// escapeUnseen escapes the characters of a JSON text that cannot be seen: DEL, the C1 controls
// and those that turn the direction of writing. They stand in strings only.
func escapeUnseen(text []byte) []byte {
	unseen := func(r rune) bool { return r >= 0x7f && r <= 0xffff && !unicode.IsPrint(r) }
	if bytes.IndexFunc(text, unseen) < 0 {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if unseen(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.Bytes()
}
