package report

import (
	"slices"
	"strings"
	"testing"
)

func TestWrapText(t *testing.T) {
	for _, tt := range []struct {
		text        string
		width, hang int
		want        []string
	}{
		{"short", 10, 2, []string{"short"}},
		{"any length", 0, 2, []string{"any length"}},
		{"one two three", 7, 0, []string{"one two", "three"}},
		{"one two three", 7, 2, []string{"one two", "  three"}},
		{"  indented text here", 12, 4, []string{"  indented", "    text", "    here"}},
		{"127.0.0.1:40112", 12, 0, []string{"127.0.0.1:", "40112"}},
		{"abcdefghij", 4, 1, []string{"abcd", " efg", " hij"}},
		{"漢字漢字", 4, 0, []string{"漢字", "漢字"}},
		{"漢字", 1, 3, []string{"漢", " 字"}}, // one character in a line, however narrow
		{"by" + noBreak + "8 more", 6, 0, []string{"by" + noBreak + "8", "more"}},
	} {
		if got := wrapText(tt.text, tt.width, tt.hang); !slices.Equal(got, tt.want) {
			t.Errorf("wrapText(%q, %d, %d) = %q, want %q", tt.text, tt.width, tt.hang, got, tt.want)
		}
	}
}

// Wrapping loses nothing and keeps to the width, whatever the text.
func FuzzWrapText(f *testing.F) {
	f.Add("send(\"Hello, world\") 漢字 127.0.0.1:80", 9, 2)
	f.Add("  x", 1, 5)
	f.Fuzz(func(t *testing.T, s string, width, hang int) {
		s = shorten(Safe(s), maxShown)
		width, hang = 4+abs(width)%80, abs(hang)%8
		lines := wrapText(s, width, hang)
		for i, l := range lines {
			if textWidth(l) > width && strings.TrimSpace(l) != "" {
				t.Errorf("wrapText(%q, %d, %d): line %d %q is %d wide", s, width, hang, i, l, textWidth(l))
			}
		}
		squeeze := func(s string) string { return strings.NewReplacer(" ", "", noBreak, "").Replace(s) }
		if got := squeeze(strings.Join(lines, "")); got != squeeze(s) {
			t.Errorf("wrapText(%q, %d, %d) = %q, which loses text", s, width, hang, lines)
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }
