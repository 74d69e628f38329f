package pcapfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zstded(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(b, nil)
}

func TestCompressedByContent(t *testing.T) {
	plain := at(1, 2, 3)
	want, err := readAll(t, plain)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"gzip":          gzipped(t, plain),
		"gzip in parts": append(gzipped(t, plain[:50]), gzipped(t, plain[50:])...),
		"zstd":          zstded(t, plain),
		"zstd in parts": append(zstded(t, plain[:50]), zstded(t, plain[50:])...),
	} {
		got, err := readAll(t, b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(packetsOf(want), packetsOf(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		got, err = readAll(t, b[:len(b)-9])
		var fe *FileError
		if !errors.As(err, &fe) || !fe.Decompressed || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s, cut: %v and %d packets, want an unexpected EOF", name, err, len(got))
		}
	}
	twice := gzipped(t, gzipped(t, plain))
	var fe *FileError
	if _, err := readAll(t, twice); !errors.As(err, &fe) || fe.What != "compressed twice (gzip inside)" {
		t.Errorf("gzip in gzip: %v", err)
	}
}

// bomb is a gigabyte of well-formed packets that are the same, in a few hundred kilobytes.
type bomb struct {
	packet []byte
	left   int
}

func (b *bomb) Read(to []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	b.left--
	return copy(to, b.packet), nil
}

func TestDecompressionBombIsBounded(t *testing.T) {
	head := pcapBytes(binary.LittleEndian, magicMicro, 4, 1)
	packet := binary.LittleEndian.AppendUint64(nil, 0)
	packet = binary.LittleEndian.AppendUint32(packet, 32<<10)
	packet = binary.LittleEndian.AppendUint32(packet, 32<<10)
	packet = append(packet, make([]byte, 32<<10)...)
	in := io.MultiReader(bytes.NewReader(head), &bomb{packet, 33 << 10})

	var buf bytes.Buffer
	z, err := zstd.NewWriter(&buf, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{z}, struct{ io.Reader }{in}, make([]byte, 64<<10)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := NewReader(&buf, "bomb", Options{MaxExpansion: 100})
	defer r.Close()
	for err = nil; err == nil; {
		_, err = r.Next()
	}
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrExpansion) {
		t.Errorf("reading a bomb: %v, want ErrExpansion", err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("reading a bomb allocated %d bytes", grown)
	}
}

// Length fields that promise megabytes must cost no more than the bytes that follow them.
func TestMemoryFollowsNoLengthField(t *testing.T) {
	liar := append(pcapBytes(binary.LittleEndian, magicMicro, 4, 1),
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1) // a packet of 16 MiB
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := readAll(t, liar); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want an unexpected EOF", err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4*bufferSize {
		t.Errorf("a promise of 16 MiB allocated %d bytes", grown)
	}
}

func TestPacketLargerThanTheBuffer(t *testing.T) {
	big := string(bytes.Repeat([]byte("0123456789abcdef"), 3*bufferSize/16))
	b := pcapBytes(binary.LittleEndian, magicMicro, 4, 1, "one", big, "two")
	got, err := readAll(t, b)
	if err != nil || len(got) != 3 || string(got[1].Packet.Data) != big || string(got[2].Packet.Data) != "two" {
		t.Errorf("%d packets, error %v; want 3 with a large one between", len(got), err)
	}
}
