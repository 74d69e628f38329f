package words

import (
	"encoding/binary"
	"unicode/utf8"
)

// maxTail is how much is kept of what an end said last, where that is text.
const maxTail = 256

// tail is the end of what an end said.
type tail struct {
	n    int
	text [maxTail]byte
}

// keep keeps the end of b. broken says of the line that goes on where the tail begins whether it has what is not for
// reading; keep returns that of the tail as it is now.
func (t *tail) keep(b []byte, broken bool) bool {
	if more := t.n + len(b) - maxTail; more > 0 {
		old := min(more, t.n)
		next := b[0]
		if old < t.n {
			next = t.text[old]
		}
		broken = breaks(broken, t.text[:old], next)
		t.n = copy(t.text[:], t.text[old:t.n])
		broken = breaks(broken, b[:more-old], b[more-old])
		b = b[more-old:]
	}
	t.n += copy(t.text[t.n:], b)
	return broken
}

// keepText keeps the end of what e said, where that may be text.
func (t *Talk) keepText(e End, b []byte) {
	if !mayBeText(b) {
		t.noText(e)
		return
	}
	d := &t.ends[e]
	d.text = true
	d.broken = t.rests().tails[e].keep(b, d.broken)
}

// noText forgets the text of e, whose line goes on with what is not for reading.
func (t *Talk) noText(e End) {
	d := &t.ends[e]
	if d.broken = true; d.text {
		d.text, t.tails[e].n = false, 0
	}
}

// lastText returns the last line that e said, "" where it is not for reading.
func (t *Talk) lastText(e End) string {
	d := &t.ends[e]
	if !d.text {
		return ""
	}
	line, ok := lastLine(t.tails[e].text[:t.tails[e].n], d.broken)
	if !ok {
		return ""
	}
	return clip(line)
}

// lastLine returns the last line of b without its end; ok is false where it is not for reading. Of a line that begins
// before b, broken says whether that is so there.
func lastLine(b []byte, broken bool) (line []byte, ok bool) {
	end := len(b)
	for end > 0 && ends(b[end-1]) {
		end--
	}
	from := end
	for ; from > 0 && b[from-1] != '\n'; from-- {
		if c := b[from-1]; c < 0x20 && c != '\t' && c != '\r' || c == 0x7f {
			return nil, false
		}
	}
	if from == 0 {
		if broken {
			return nil, false
		}
		for from < min(utf8.UTFMax-1, end) && !utf8.RuneStart(b[from]) {
			from++
		}
	}
	return b[from:end], utf8.Valid(b[from:end])
}

// ends reports whether c is left out at the end of a line.
func ends(c byte) bool { return c == '\r' || c == '\n' || c == ' ' || c == 0 }

// mayBeText reports whether a line for reading may end with b, or begin in it: false where the line that goes on after b
// has what is not for reading. It looks at the last bytes, of which other data has some.
func mayBeText(b []byte) bool {
	const looked = 64
	b = b[max(0, len(b)-looked):]
	if n := len(b); n >= 16 && isData(binary.LittleEndian.Uint64(b[n-16:]), binary.LittleEndian.Uint64(b[n-8:])) {
		return false
	}
	next := byte(0)
	if b[len(b)-1] >= 0xc0 {
		next = 0x80 // as it may be
	}
	for n := len(b); n > 0; n-- {
		c := b[n-1]
		switch {
		case c == '\n':
			return true
		case illegible(c, next):
			return false
		}
		for next = c; n > 8 && next < 0x80 && plain(binary.LittleEndian.Uint64(b[n-9:])); {
			n, next = n-8, b[n-9]
		}
	}
	return true
}

// isData reports whether 16 bytes have one that no text has, from 0x10 to 0x1f or from 0xf8 on, and no newline after
// which there may be text nevertheless: so most that is none is told without looking at each.
func isData(x, y uint64) bool {
	const newlines, highs, lows, tops = ones * '\n', ones * 0xf0, ones * 0x10, ones * 0xf8
	return zeros(x^newlines)|zeros(y^newlines) == 0 &&
		zeros(x&highs^lows)|zeros(y&highs^lows)|zeros(x&tops^tops)|zeros(y&tops^tops) != 0
}

// zeros is 0 where none of 8 bytes is (as in Bit Twiddling Hacks, haszero).
func zeros(x uint64) uint64 { return (x - ones) &^ x & (ones << 7) }

const ones = 0x0101010101010101

// breaks reports whether the line that goes on after b, with next, has what is not for reading; before says so of the
// one that goes on where b begins.
func breaks(before bool, b []byte, next byte) bool {
	for n := len(b); n > 0; n-- {
		c := b[n-1]
		switch {
		case c == '\n':
			return false
		case c == 0 || illegible(c, next):
			return true
		}
		next = c
	}
	return before
}

// illegible reports whether no text has c before next: a control character, but for a 0 at its end, or what is no UTF-8.
func illegible(c, next byte) bool {
	follows := next&0xc0 == 0x80
	switch {
	case c == 0:
		return !ends(next)
	case c < 0x20:
		return c != '\t' && c != '\r' || follows
	case c < 0x7f:
		return follows
	case c < 0xc0:
		return c == 0x7f
	}
	return !follows || c < 0xc2 || c > 0xf4
}

// plain reports whether 8 bytes are ASCII to be seen: no control characters (as in Bit Twiddling Hacks, hasless).
func plain(x uint64) bool {
	del := x ^ 0x7f*ones
	return (x|(x-0x20*ones)|(del-ones))&(ones<<7) == 0
}
