package encode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"reflect"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

const start = 1_753_000_000_000_000_000

// reference is what encoding/json makes of v.
func reference(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return string(EscapeUnseen(b.Bytes()))
}

// analyzed is a result as the analysis leaves it.
func analyzed(t *testing.T) *analyze.Result {
	t.Helper()
	text, err := os.ReadFile("../testdata/close.json")
	if err != nil {
		t.Fatal(err)
	}
	var r analyze.Result
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

// fill sets everything below v to values that are not zero and differ from each other.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case netip.AddrPort:
		v.Set(reflect.ValueOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(*n >> 8), byte(*n)}), uint16(*n))))
		return
	case event.Time:
		v.SetInt(start + int64(*n)*86_399_000_000_007)
		return
	case event.TCPState:
		v.SetUint(uint64(*n%12 + 1))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), n)
			}
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 3 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, n)
			fill(value, n)
			v.SetMapIndex(key, value)
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		}
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.String:
		if v.Type() != reflect.TypeFor[string]() { // one of the program's own words
			v.SetString("word-for-the-whole-verdict"[:*n%20+1])
			return
		}
		v.SetString(fmt.Sprintf("text %d \"<&>\\\b\f\n\r\t\x00\x1b\x7f\xff\u2028\u202e é", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(-*n))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n) % 200)
	default:
		panic("fill: no rule for " + v.Kind().String())
	}
}

// A field that analyze.Connection gains must also be written by Encoder: this test fails until
// it is.
func TestEncoderEqualsEncodingJSON(t *testing.T) {
	var full analyze.Connection
	n := 0
	fill(reflect.ValueOf(&full).Elem(), &n)
	v6 := &analyze.Connection{
		Client:   netip.MustParseAddrPort("[2001:db8::1]:443"),
		Server:   netip.MustParseAddrPort("[fe80::1%eth0]:80"),
		Segments: []*analyze.Segment{nil},
	}
	early := &analyze.Connection{Start: -1, End: 1}
	for name, c := range map[string]*analyze.Connection{
		"every field set": &full,
		"no field set":    {},
		"empty slices":    {Segments: []*analyze.Segment{}, Warnings: []string{}, TimeWait: []analyze.TimeWait{{}}, Reset: &analyze.Reset{}, HalfClose: &analyze.HalfClose{}},
		"IPv6":            v6,
		"before 1970":     early,
		"as analyzed":     analyzed(t).Connections[0],
	} {
		var e Encoder
		want := reference(t, c)
		if got := string(e.Connection(nil, c)) + "\n"; got != want {
			t.Errorf("%s: Connection() =\n%s\nwant\n%s", name, got, want)
		}
	}
}

// The same holds for analyze.Call.
func TestCallEncoderEqualsEncodingJSON(t *testing.T) {
	var full analyze.Call
	n := 0
	fill(reflect.ValueOf(&full).Elem(), &n)
	for name, c := range map[string]*analyze.Call{
		"every field set": &full,
		"no field set":    {Call: new(event.Call)},
		"empty slices":    {Call: &event.Call{Holders: []event.Holder{}, Samples: []event.Sample{{}}}, Caused: []uint64{}, ReturnedBy: []uint64{1}},
		"as analyzed":     analyzed(t).Calls[0],
	} {
		var e Encoder
		want := reference(t, c)
		if got := string(e.Call(nil, c)) + "\n"; got != want {
			t.Errorf("%s: Call() =\n%s\nwant\n%s", name, got, want)
		}
	}
}

func FuzzEncoderString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\", "\x00\x1f\x7f", "\xff\xc0", "\u2028\u2029", "é€😀", "<a&b>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(appendString(nil, s))+"\n", reference(t, s); got != want {
			t.Errorf("appendString(%q) = %s, want %s", s, got, want)
		}
	})
}

func BenchmarkConnection(b *testing.B) {
	var c analyze.Connection
	n := 0
	fill(reflect.ValueOf(&c).Elem(), &n)
	b.Run("encode", func(b *testing.B) {
		var e Encoder
		var text []byte
		for b.Loop() {
			text = e.Connection(text[:0], &c)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		e := json.NewEncoder(io.Discard)
		e.SetEscapeHTML(false)
		for b.Loop() {
			if err := e.Encode(&c); err != nil {
				b.Fatal(err)
			}
		}
	})
}
