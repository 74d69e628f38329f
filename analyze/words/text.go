package words

import (
	"encoding/binary"
	"math/bits"
)

// maxTail is how much is kept of what an end said last, where that is text.
const maxTail = 256

// tail is the end of what an end said.
type tail struct {
	n    int
	text [maxTail]byte
}

// keep keeps the end of b.
func (t *tail) keep(b []byte) {
	b = b[max(0, len(b)-maxTail):]
	if more := t.n + len(b) - maxTail; more > 0 {
		t.n = copy(t.text[:], t.text[more:t.n])
	}
	t.n += copy(t.text[t.n:], b)
}

// keepText keeps the end of what e said, where that may be text.
func (t *Talk) keepText(e End, b []byte) {
	d := &t.ends[e]
	if !MayBeText(b) {
		t.noText(e)
		d.other = true
		return
	}
	tail := &t.rests().tails[e]
	if !d.text && d.other {
		tail.keep([]byte{1}) // it ends the text
	}
	d.text = true
	tail.keep(b)
}

// noText forgets the text of e: something else came.
func (t *Talk) noText(e End) {
	if d := &t.ends[e]; d.text {
		d.text, t.tails[e].n = false, 0
	}
}

// lastText returns the last line that e said, "" where it is not for reading.
func (t *Talk) lastText(e End) string {
	if !t.ends[e].text {
		return ""
	}
	line, ok := lastLine(t.tails[e].text[:t.tails[e].n])
	if !ok {
		return ""
	}
	return clip(line)
}

// lastLine returns the last line of b without its end; ok is false where it is not for reading.
func lastLine(b []byte) (line []byte, ok bool) {
	end := len(b)
	for end > 0 && (b[end-1] == '\r' || b[end-1] == '\n' || b[end-1] == ' ' || b[end-1] == 0) {
		end--
	}
	from := end
	for ; from > 0 && b[from-1] != '\n'; from-- {
		if c := b[from-1]; c < 0x20 && c != '\t' && c != '\r' || c == 0x7f {
			return nil, false
		}
	}
	return b[from:end], true
}

// MayBeText reports whether what ends with b may end with a line of text: by its last bytes, of which other data has
// some that are not for reading.
func MayBeText(b []byte) bool {
	const looked = 64
	b = b[max(0, len(b)-looked):]
	for rest := b; len(rest) >= 8; rest = rest[:len(rest)-8] {
		last := binary.LittleEndian.Uint64(rest[len(rest)-8:])
		odd := control(last)
		if odd == 0 {
			continue
		}
		switch c := byte(last >> (56 - bits.LeadingZeros64(odd)&^7)); c {
		default:
			if c < 0x20 || c == 0x7f {
				return false
			}
		case 0, '\t', '\r', '\n':
		}
		_, ok := lastLine(b)
		return ok
	}
	if len(b) == looked {
		return true
	}
	_, ok := lastLine(b)
	return ok
}

// control is 0 where none of 8 bytes is below 0x20 or 0x7f (as in Bit Twiddling Hacks, hasless).
func control(x uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	del := x ^ 0x7f*ones
	return ((x-0x20*ones)&^x | (del-ones)&^del) & high
}
