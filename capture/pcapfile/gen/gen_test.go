package gen

import (
	"bytes"
	"testing"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/decode"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
)

func TestWriteIsDeterministicAndReadable(t *testing.T) {
	opt := Options{Connections: 2000, Open: 100}
	var a, b bytes.Buffer
	made, err := Write(&a, opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Write(&b, opt); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("Write twice with the same options gives different bytes")
	}
	if int64(a.Len()) != made.Bytes {
		t.Errorf("Write says %d bytes, wrote %d", made.Bytes, a.Len())
	}
	for i, n := range made.Endings {
		if n == 0 {
			t.Errorf("ending %d never occurs in %d connections", i, made.Connections)
		}
	}

	r := pcapfile.NewReader(&a, "gen", pcapfile.Options{})
	defer r.Close()
	rec, err := intake.ReadRecording(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(rec.Segments)) != made.Packets {
		t.Fatalf("%d of %d packets hold a segment", len(rec.Segments), made.Packets)
	}
	for i := range rec.Segments {
		if s := &rec.Segments[i]; s.Has&event.BadChecksum != 0 || s.Has&event.Truncated != 0 {
			t.Fatalf("segment %d of %v is damaged: %v", s.Frame, decode.TCP, s.Has)
		}
	}
}
