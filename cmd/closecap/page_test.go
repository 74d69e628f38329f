package main

import (
	"bytes"
	"os"
	"testing"
)

// TestPictureOfREADME holds the README's picture to what the program draws. `make pcaps`
// draws it anew.
func TestPictureOfREADME(t *testing.T) {
	want, err := os.ReadFile("../../.github/close.svg")
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"analyze", "--sample", "close", "--format", "svg"}, streams{out: &out, err: &errs})
	if code != exitDone {
		t.Fatalf("analyze = %d: %s", code, errs.String())
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("analyze --sample close --format svg draws other than .github/close.svg")
	}
}
