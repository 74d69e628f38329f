package report

import (
	"encoding/json"
	"fmt"
	"io"

	"closecap/analyze"
)

// writeDocument writes r as one JSON document.
func writeDocument(w io.Writer, r *analyze.Result) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}
