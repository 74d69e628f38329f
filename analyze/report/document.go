package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode"

	"github.com/closecap/closecap/analyze"
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
