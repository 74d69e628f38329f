package pcapfile

import (
	"reflect"
	"strings"
	"unicode/utf8"
)

// JSON strings hold only valid UTF-8, and encoding/json replaces the rest. What an application
// sent may be any bytes, so each byte that is not part of valid UTF-8 travels as one code point
// of this private-use range, and code points of the range itself as their bytes.
const (
	byteRune  = 0x10fe00
	byteRunes = 0x100
)

func preserveString(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, isByteRune) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || isByteRune(r) {
			for i := range n {
				b.WriteRune(byteRune + rune(s[i]))
			}
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func restoreString(s string) string {
	if !strings.ContainsFunc(s, isByteRune) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isByteRune(r) {
			b.WriteByte(byte(r - byteRune))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isByteRune(r rune) bool { return r >= byteRune && r < byteRune+byteRunes }

// preserve returns a copy of v, a struct, with all its strings fit for JSON.
func preserve(v any) any {
	to := reflect.New(reflect.TypeOf(v)).Elem()
	copyStrings(to, reflect.ValueOf(v), preserveString)
	return to.Interface()
}

// restore undoes preserve in what v points to.
func restore(v any) {
	at := reflect.ValueOf(v).Elem()
	to := reflect.New(at.Type()).Elem()
	copyStrings(to, at, restoreString)
	at.Set(to)
}

// copyStrings copies from to to, with f over every string that is not inside a type of
// another package's making (addresses).
func copyStrings(to, from reflect.Value, f func(string) string) {
	to.Set(from)
	switch from.Kind() {
	case reflect.String:
		to.SetString(f(from.String()))
	case reflect.Struct:
		for i := range from.NumField() {
			if from.Type().Field(i).IsExported() {
				copyStrings(to.Field(i), from.Field(i), f)
			}
		}
	case reflect.Slice:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			copyStrings(to.Index(i), from.Index(i), f)
		}
	case reflect.Pointer:
		if from.IsNil() {
			return
		}
		to.Set(reflect.New(from.Type().Elem()))
		copyStrings(to.Elem(), from.Elem(), f)
	case reflect.Map:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeMapWithSize(from.Type(), from.Len()))
		for k, v := range from.Seq2() {
			key := reflect.New(k.Type()).Elem()
			copyStrings(key, k, f)
			to.SetMapIndex(key, v)
		}
	}
}
