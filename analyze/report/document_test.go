package report

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/report/encode"
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
	return string(encode.EscapeUnseen(b.Bytes()))
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
	var e encode.Encoder
	b.SetBytes(int64(len(e.Connection(nil, c))))
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
