package pcapfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/terminal"
	"github.com/closecap/closecap/capture/intake"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// checkStream reads b whole and byte by byte: both must see the same records and error, none
// of them more than the bytes that are there.
func checkStream(t *testing.T, b []byte) {
	whole, err := summary(t, bytes.NewReader(b))
	pieces, err2 := summary(t, iotest.OneByteReader(bytes.NewReader(b)))
	if fmt.Sprint(err) != fmt.Sprint(err2) {
		t.Errorf("read whole: %v, read byte by byte: %v", err, err2)
	}
	if d := cmp.Diff(whole, pieces); d != "" {
		t.Errorf("read byte by byte differs:\n%s", d)
	}
}

func summary(t *testing.T, in io.Reader) (all []string, err error) {
	r := NewReader(in, "fuzz", Options{})
	defer r.Close()
	for frame := uint64(1); ; frame++ {
		rec, err := r.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			var fe *FileError
			if !errors.As(err, &fe) || fe.Offset < 0 || fe.What == "" {
				t.Errorf("error %v names no place", err)
			}
			if _, again := r.Next(); again != io.EOF {
				t.Errorf("after its error the only file goes on: %v", again)
			}
			return all, err
		}
		p := rec.Packet
		if p.Frame != frame || rec.FileFrame != frame {
			t.Fatalf("frame %d, of the file %d, want %d", p.Frame, rec.FileFrame, frame)
		}
		if len(p.Data) > maxPacket || int(p.Interface) >= max(1, len(r.Interfaces())) {
			t.Fatalf("frame %d: %d bytes of interface %d", frame, len(p.Data), p.Interface)
		}
		call := ""
		if rec.Call != nil {
			call = terminal.Safe(rec.Call.Summary())
		}
		if rec.Kernel != nil {
			call = terminal.Safe(rec.Kernel.Summary())
		}
		all = append(all, fmt.Sprint(p.Time, p.WireLen, p.LinkType, p.Interface, p.Data, p.Comment, rec.Journal, call))
	}
}

func FuzzPcap(f *testing.F) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, magic := range []uint32{magicMicro, magicNano, magicKuznetzov} {
			f.Add(pcapBytes(order, magic, 4, 1, "one", "three"))
		}
		f.Add(pcapBytes(order, magicMicro, 2, 1, "one", "three"))
	}
	f.Fuzz(checkStream)
}

func FuzzPcapng(f *testing.F) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		n := &ng{order: order}
		for range 2 {
			n.section()
			n.iface(1, 0, n.option(nil, optName, "eth0"), n.option(nil, optFilter, "\x00tcp"), n.option(nil, optResolution, "\x89"))
			n.packet(0, 7, "a", n.option(nil, optComment, "c"), n.option(nil, optDropCount, "12345678"))
			n.block(blockSimple, append(order.AppendUint32(nil, 9), "dddd"...))
			n.block(blockPacket, append(make([]byte, 20), "data"...))
			n.block(blockStats, append(make([]byte, 12), appendCount(nil, optOSDrop, 40)...))
			n.block(blockJournal, []byte("__REALTIME_TIMESTAMP=5\nMESSAGE\n\x01\x00\x00\x00\x00\x00\x00\x00x\n\n"))
		}
		f.Add(n.b)
	}
	f.Add(kernelRecording(f))
	for _, path := range savedRecordings(f) {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(checkStream)
}

// savedRecordings are the project's own.
func savedRecordings(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("../../pcaps/*.pcapng")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no saved recordings, error %v", err)
	}
	return paths
}

func FuzzCompressed(f *testing.F) {
	plain := at(1, 2, 3)
	f.Add(gzipped(f, plain))
	f.Add(append(zstded(f, plain[:40]), zstded(f, plain[40:])...))
	f.Add(gzipped(f, gzipped(f, plain)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b), "fuzz", Options{MaxExpansion: 1})
		n := 0
		for _, err := range r.Records(t.Context()) {
			if err != nil {
				n++
			}
		}
		if n > 1 {
			t.Errorf("%d errors of one file", n)
		}
	})
}

// FuzzRecording writes what it is given as a recording and must read the same back.
func FuzzRecording(f *testing.F) {
	f.Add("client", "SHUT_WR", "\xff\n\x00\U0010fe41", int64(5), int64(-1), []byte("data"), "why")
	f.Fuzz(func(t *testing.T, actor, args, text string, start, ret int64, data []byte, comment string) {
		start = max(start, 1)
		rec := &event.Recording{
			Run:   event.Run{Tool: actor, Scenario: text, Source: args, Warnings: []string{text}},
			Calls: []*event.Call{{Actor: actor, Args: args, Text: text, Start: event.Time(start), Ret: ret, RecvQ: -1}},
			Packets: []event.Packet{{
				Time: event.Time(start), WireLen: len(data), LinkType: 147, Data: data,
			}},
			Expectations: []event.Expectation{{At: args, Text: text, Subject: "no-reset"}},
		}
		rec.Number()
		var buf bytes.Buffer
		why := func(uint64) string { return comment }
		if err := WriteRecording(&buf, rec, Interface{Name: actor, Filter: args}, why, text); err != nil {
			t.Fatal(err)
		}
		got, err := intake.ReadRecording(t.Context(), NewReader(&buf, "fuzz", Options{}))
		if err != nil {
			t.Fatal(err)
		}
		for i := range got.Packets {
			got.Packets[i].Comment = ""
		}
		opts := cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.AddrPort{})}
		if d := cmp.Diff(rec, got, opts); d != "" {
			t.Errorf("read(write(rec)) differs:\n%s", d)
		}
	})
}
