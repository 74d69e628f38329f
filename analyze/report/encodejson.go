package report

import (
	"strconv"
	"unicode/utf8"
)

// The functions here append JSON values. What stands before, `,"key":`, their callers append
// themselves: a text whose length the compiler knows costs no call.

func appendInt(b []byte, n int64) []byte {
	if n < 0 {
		return strconv.AppendInt(b, n, 10)
	}
	return appendUint(b, uint64(n))
}

// appendUint is strconv.AppendUint, in less time for the small numbers that most are.
func appendUint(b []byte, n uint64) []byte {
	switch {
	case n < 10:
		return append(b, '0'+byte(n))
	case n < 1e3:
		return appendBelow1000(b, n)
	case n < 1e6:
		return append(appendBelow1000(b, n/1e3), thousands[n%1e3][:]...)
	case n < 1e9:
		b = append(appendBelow1000(b, n/1e6), thousands[n/1e3%1e3][:]...)
		return append(b, thousands[n%1e3][:]...)
	}
	return strconv.AppendUint(b, n, 10)
}

func appendBelow1000(b []byte, n uint64) []byte {
	text := &thousands[n]
	switch {
	case n < 10:
		return append(b, text[2])
	case n < 100:
		return append(b, text[1], text[2])
	}
	return append(b, text[:]...)
}

func appendTexts(b []byte, list []string) []byte { return appendList(b, list, appendString) }

// appendList appends an array, null for a nil slice as encoding/json does.
func appendList[T any](b []byte, list []T, item func([]byte, T) []byte) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = item(b, v)
	}
	return append(b, ']')
}

const hexDigits = "0123456789abcdef"

// appendString quotes s as encoding/json does with SetEscapeHTML(false): control characters
// escaped, invalid UTF-8 replaced, U+2028 and U+2029 escaped.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	if verbatim(s) {
		return append(append(b, s...), '"')
	}
	from := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			b = appendEscape(append(b, s[from:i]...), c)
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(append(b, s[from:i]...), `\ufffd`...)
			from = i + n
		case r == '\u2028' || r == '\u2029':
			b = append(append(b, s[from:i]...), `\u202`...)
			b = append(b, hexDigits[r&0xf])
			from = i + n
		}
		i += n
	}
	return append(append(b, s[from:]...), '"')
}

// verbatim reports whether every byte of s stands for itself. Most strings are words: they are
// looked at four or eight bytes at a time, the last ones twice where that comes out even.
func verbatim(s string) bool {
	n := len(s)
	switch {
	case n >= 8:
		for i := 0; i+8 < n; i += 8 {
			if !verbatim8(load4(s, i) | load4(s, i+4)<<32) {
				return false
			}
		}
		return verbatim8(load4(s, n-8) | load4(s, n-4)<<32)
	case n >= 4:
		return verbatim8(load4(s, 0) | load4(s, n-4)<<32)
	}
	for i := range n {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func load4(s string, i int) uint64 {
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24
}

// verbatim8 reports whether none of eight bytes is a control character, a quotation mark, a
// backslash or beyond ASCII: in those the top bit is set, or a subtraction borrows.
func verbatim8(x uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	return (x|(x-ones*0x20)|((x^ones*'"')-ones)|((x^ones*'\\')-ones))&tops == 0
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}
