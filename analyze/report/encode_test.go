package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// reference is what encoding/json makes of v.
func reference(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// fill sets everything below v to values that are not zero and differ from each other.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case netip.AddrPort:
		v.Set(reflect.ValueOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(*n >> 8), byte(*n)}), uint16(*n))))
		return
	case event.Time:
		v.SetInt(int64(start) + int64(*n)*86_399_000_000_007)
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
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
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

// A field that analyze.Connection gains must also be written by encoder: this test fails until
// it is.
func TestEncoderEqualsEncodingJSON(t *testing.T) {
	var full analyze.Connection
	n := 0
	fill(reflect.ValueOf(&full).Elem(), &n)
	v6 := connection(2)
	v6.Client = netip.MustParseAddrPort("[2001:db8::1]:443")
	v6.Server = netip.MustParseAddrPort("[fe80::1%eth0]:80")
	v6.Segments = []*analyze.Segment{nil}
	early := connection(3)
	early.Start, early.End = -1, 1
	for name, c := range map[string]*analyze.Connection{
		"every field set": &full,
		"no field set":    {},
		"empty slices":    {Segments: []*analyze.Segment{}, Warnings: []string{}, TimeWait: []analyze.TimeWait{{}}, Reset: &analyze.Reset{}, HalfClose: &analyze.HalfClose{}},
		"IPv6":            v6,
		"before 1970":     early,
		"shutdown-wr":     halfClosed().Connections[0],
		"close":           sentAfterClose().Connections[0],
	} {
		var e encoder
		want := reference(t, c)
		if got := string(e.connection(nil, c)) + "\n"; got != want {
			t.Errorf("%s: connection() =\n%s\nwant\n%s", name, got, want)
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

func TestDocumentRoundTrip(t *testing.T) {
	r := sentAfterClose()
	var got analyze.Result
	text := render(t, JSON, r, Options{})
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if again := reference(t, &got); again != reference(t, r) {
		t.Errorf("reading the document back and writing it gives\n%s\nwant\n%s", again, reference(t, r))
	}
	checkGolden(t, "close.json", text)
}

func TestNDJSONIsOneConnectionALine(t *testing.T) {
	r := result("", halfClosed().Connections[0], sentAfterClose().Connections[0])
	want := reference(t, r.Connections[0]) + reference(t, r.Connections[1])
	if got := render(t, NDJSON, r, Options{}); got != want {
		t.Errorf("NDJSON =\n%s\nwant\n%s", got, want)
	}
}

func BenchmarkNDJSON(b *testing.B) {
	c := halfClosed().Connections[0]
	s := NewStream(io.Discard, NDJSON, Options{})
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Connection(c); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(s.encoder.connection(nil, c))))
}

func BenchmarkList(b *testing.B) {
	s := NewStream(io.Discard, Table, Options{Width: 160, Box: true})
	c := halfClosed().Connections[0]
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Connection(c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCSV(b *testing.B) {
	s := NewStream(io.Discard, CSV, Options{})
	c := halfClosed().Connections[0]
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Connection(c); err != nil {
			b.Fatal(err)
		}
	}
}
