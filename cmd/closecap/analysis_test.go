package main

import (
	"testing"

	"closecap/analyze/report"
)

// TestKeepsNone guards the reuse of memory, which must end where a connection is kept.
func TestKeepsNone(t *testing.T) {
	for _, tt := range []struct {
		format report.Format
		order  string
		html   string
		want   bool
	}{
		{report.NDJSON, "", "", true},
		{report.CSV, "", "", true},
		{report.NDJSON, "start", "", false},
		{report.NDJSON, "", "page.html", false},
		{report.Table, "", "", false},
		{report.JSON, "", "", false},
	} {
		s := &shower{page: newPage(tt.html), order: tt.order}
		if got := s.keepsNone(tt.format); got != tt.want {
			t.Errorf("keepsNone(%s) with order %q and page %q = %v, want %v", tt.format, tt.order, tt.html, got, tt.want)
		}
	}
}
