package report

import (
	"encoding/json"
	"fmt"
	"io"

	"closecap/analyze"
)

// writeDocument writes r as one JSON document. Lists that are empty are [], never null.
func writeDocument(w io.Writer, r *analyze.Result) error {
	document := *r
	if document.Connections == nil {
		document.Connections = []*analyze.Connection{}
	}
	if document.Warnings == nil {
		document.Warnings = []string{}
	}
	return writeJSON(w, "  ", &document)
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
