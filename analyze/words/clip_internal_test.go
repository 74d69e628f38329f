package words

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestClip holds that what is cut stays UTF-8, loses no more than the character that does not fit, and that what is none
// is cut where it is full.
func TestClip(t *testing.T) {
	for _, char := range []string{"x", "é", "€", "𝄞"} {
		for before := range utf8.UTFMax {
			said := strings.Repeat("x", before) + strings.Repeat(char, 200)
			whole := before + (160-before)/len(char)*len(char)
			if got, want := clip([]byte(said)), said[:whole]+"…"; got != want {
				t.Errorf("%d and %q: cut to %q, want %q", before, char, got, want)
			}
			if fits := said[:whole]; clip([]byte(fits)) != fits {
				t.Errorf("%d and %q: %d bytes are cut to %q", before, char, len(fits), clip([]byte(fits)))
			}
		}
	}
	if none := strings.Repeat("\x80", 200); clip([]byte(none)) != none[:160]+"…" {
		t.Errorf("no UTF-8 is cut to %q", clip([]byte(none)))
	}
}
