package encode

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// EscapeUnseen escapes the characters of a JSON text that cannot be seen. They stand in strings
// only.
func EscapeUnseen(text []byte) []byte {
	if bytes.IndexFunc(text, unseen) < 0 {
		return text
	}
	var b []byte
	for _, r := range string(text) {
		if unseen(r) {
			b = appendUnseen(b, r)
			continue
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

// unseen reports whether r may stand in JSON as it is and cannot be seen: DEL, the C1 controls,
// those that turn the direction of writing.
func unseen(r rune) bool { return r >= 0x7f && !unicode.IsPrint(r) }

func appendUnseen(b []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Appendf(b, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(b, `\u%04x`, r)
}
