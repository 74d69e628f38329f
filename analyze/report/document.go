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
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(&document); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}
