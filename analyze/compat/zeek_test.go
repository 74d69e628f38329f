package compat

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/tcp"
)

// TestCountedLetters logs T at the 1st, 10th and 100th retransmission.
func TestCountedLetters(t *testing.T) {
	var z zeekConn
	var n uint32
	var at []uint32
	for n < 1200 {
		before := len(z.letters)
		z.counted(tcp.Client, 't', &n)
		if len(z.letters) > before {
			at = append(at, n)
		}
	}
	if want := []uint32{1, 10, 100, 1000}; len(at) != 4 || at[3] != want[3] || at[1] != want[1] || at[2] != want[2] {
		t.Errorf("logged at %v, want %v", at, want)
	}
	if got := string(z.letters); got != strings.Repeat("T", 4) {
		t.Errorf("letters %q, want TTTT", got)
	}
}
