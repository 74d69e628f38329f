package words

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// streams makes what an end may say: lines, and what is not for reading, some of it long.
func streams(r *rand.Rand) (b []byte) {
	some := []string{"\n", "\r\n", "\x00", " ", "\t", "\x01", "\x1f", "\x7f", "\x80", "\xff", "\xc3", "é", "€", "𝄞", "a line ", "word"}
	n := 1 + r.IntN(len(some))
	for range r.IntN(60) {
		switch r.IntN(8) {
		case 0:
			b = append(b, bytes.Repeat([]byte("x"), r.IntN(300))...)
		case 1, 2, 3:
			b = append(b, some[r.IntN(len(some))]...)
		default:
			b = append(b, some[r.IntN(n)]...)
		}
	}
	return b
}

// lastOf is the last line of a stream, by the letter: all of it is for reading, and what is kept of it is UTF-8.
func lastOf(b []byte) string {
	kept := max(0, len(b)-maxTail)
	b = bytes.TrimRight(b, "\r\n \x00")
	from := bytes.LastIndexByte(b, '\n') + 1
	if from <= kept {
		if kept >= len(b) || breaks(false, b[from:kept], b[kept]) {
			return ""
		}
		for from = kept; from < min(kept+3, len(b)) && !utf8.RuneStart(b[from]); from++ {
		}
	}
	line := b[from:]
	if !utf8.Valid(line) || bytes.ContainsFunc(line, func(c rune) bool { return c < 0x20 && c != '\t' && c != '\r' || c == 0x7f }) {
		return ""
	}
	return clip(line)
}

// TestLastText holds that the last line is that of the stream, however it was cut into segments.
func TestLastText(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text, none, short := 0, 0, 0
	for range 200_000 {
		b := streams(r)
		var whole Talk
		most := 1 + r.IntN(1+r.IntN(700))
		for rest := b; len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(most))
			if !mayBeText(rest[:n]) {
				short++
			}
			whole.keepText(Server, rest[:n])
			rest = rest[n:]
		}
		got, want := whole.lastText(Server), lastOf(b)
		if got != want {
			t.Fatalf("%q, in pieces of up to %d: the last line is %q, want %q", b, most, got, want)
		}
		if text++; want == "" {
			none++
		}
	}
	if none < 10_000 || text-none < 10_000 || short < 10_000 {
		t.Errorf("of %d streams %d end with no text, and %d segments were none", text, none, short)
	}
}

// TestPlain holds the look at 8 bytes at once to that at one.
func TestPlain(t *testing.T) {
	for c := range uint64(256) {
		for at := range 8 {
			x := uint64(0x6161616161616161)&^(0xff<<(8*at)) | c<<(8*at)
			if got, want := plain(x), c >= 0x20 && c < 0x7f; got != want {
				t.Errorf("plain(%#x) = %v, want %v", x, got, want)
			}
		}
	}
}

// TestIsData holds the look at 16 bytes at once to that at each.
func TestIsData(t *testing.T) {
	r, found := rand.New(rand.NewPCG(3, 4)), 0
	edges := []byte{0, '\n', '\t', 0x0f, 0x10, 0x1f, 0x20, 0x7f, 0x80, 0x8a, 0x90, 0xf0, 0xf7, 0xf8, 0xff}
	for range 300_000 {
		var b [16]byte
		want, few := false, r.IntN(3) == 0
		for i := range b {
			b[i] = 'a'
			switch n := r.IntN(30); {
			case n < len(edges):
				b[i] = edges[n]
			case !few:
				b[i] = byte(r.IntN(256))
			}
			want = want || b[i]>>4 == 1 || b[i] >= 0xf8
		}
		want = want && !bytes.Contains(b[:], []byte("\n"))
		if got := isData(binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])); got != want {
			t.Fatalf("isData(%x) = %t, want %t", b, got, want)
		}
		if want {
			found++
		}
	}
	if found < 50_000 {
		t.Errorf("%d of them are data", found)
	}
}
