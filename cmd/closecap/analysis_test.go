package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/pcapfile/gen"
)

// TestKeepsNone guards the reuse of memory, which must end where a connection is kept.
func TestKeepsNone(t *testing.T) {
	for _, tt := range []struct {
		format  report.Format
		order   string
		html    string
		summary bool
		want    bool
	}{
		{report.NDJSON, "", "", false, true},
		{report.CSV, "", "", false, true},
		{report.NDJSON, "start", "", false, false},
		{report.NDJSON, "", "page.html", false, false},
		{report.Table, "", "", false, false},
		{report.Table, "", "", true, true},
		{report.Table, "", "page.html", true, false},
		{report.JSON, "", "", false, false},
	} {
		stream := report.NewStream(io.Discard, tt.format, report.Options{Summary: tt.summary})
		s := &shower{stream: stream, page: newPage(tt.html, ""), order: tt.order}
		if got := s.keepsNone(); got != tt.want {
			t.Errorf("keepsNone(%s) with order %q and page %q = %v, want %v", tt.format, tt.order, tt.html, got, tt.want)
		}
	}
}

// TestDocumentAsLines holds a JSON document, whose first connections are kept and whose others share their memory,
// to NDJSON, none of whose are kept.
func TestDocumentAsLines(t *testing.T) {
	var file bytes.Buffer
	if _, err := gen.Write(&file, gen.Options{Connections: 2500, Open: 500}); err != nil {
		t.Fatal(err)
	}
	form := func(format string) string {
		var out strings.Builder
		in := bytes.NewReader(file.Bytes())
		if code := run(t.Context(), []string{"analyze", "--format", format, "-"}, streams{in: in, out: &out, err: io.Discard}); code != exitDone {
			t.Fatalf("%s: exit %d", format, code)
		}
		return out.String()
	}
	_, document, _ := strings.Cut(form("json"), `"connections": [`)
	document = strings.ReplaceAll(document, "},\n    {", "}\n    {")
	lines := strings.ReplaceAll(form("ndjson"), "\n", "\n    ")
	if n := strings.Count(lines, "\n"); n < 2500 {
		t.Fatalf("%d lines, want 2500 at least", n)
	}
	if !strings.HasPrefix(document, "\n    "+strings.TrimSpace(lines)+"\n  ],") {
		t.Error("the connections of the document are not those of the lines")
	}
}

// TestClock reads a capture whose second part stands first.
func TestClock(t *testing.T) {
	for _, tt := range []struct {
		seconds []uint32
		want    string
	}{
		{[]uint32{1, 2, 3}, ""},
		{[]uint32{5, 6, 1, 2}, "warning: frame 3 is 5s earlier than one before it"},
	} {
		file := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0}
		for i, sec := range tt.seconds {
			file = pcapPacket(file, sec, false, 0x02, uint32(i), 0)
		}
		var out, msg strings.Builder
		if code := run(t.Context(), []string{"analyze", "-"}, streams{in: strings.NewReader(string(file)), out: &out, err: &msg}); code != exitDone {
			t.Fatalf("exit %d: %s", code, msg.String())
		}
		if got := out.String(); !strings.Contains(got, tt.want) || tt.want == "" && strings.Contains(got, "earlier") {
			t.Errorf("seconds %v: want %q in\n%s", tt.seconds, tt.want, got)
		}
	}
}

// TestWarningsBesideLines cuts a packet off. NDJSON and CSV have no place to say so.
func TestWarningsBesideLines(t *testing.T) {
	file := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0}
	file = append(pcapPacket(file, 1, false, 0x02, 0, 0), 2, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 40, 0, 0, 0)
	file = append(file, file[24+16:24+16+20]...)
	for _, format := range []string{"ndjson", "csv", "table"} {
		var out, msg strings.Builder
		if code := run(t.Context(), []string{"analyze", "--format", format, "-"}, streams{in: strings.NewReader(string(file)), out: &out, err: &msg}); code != exitDone {
			t.Fatalf("%s: exit %d: %s", format, code, msg.String())
		}
		const warning = "warning: 1 packet could not be read: "
		if got := strings.Contains(msg.String(), warning); got != (format != "table") {
			t.Errorf("%s: warned on standard error = %v:\n%s", format, got, msg.String())
		}
		if got := strings.Contains(out.String(), warning); got != (format == "table") {
			t.Errorf("%s: warned in the output = %v:\n%s", format, got, out.String())
		}
	}
}

// pcapPacket appends a record with an IPv4 segment without payload to a little-endian pcap.
func pcapPacket(b []byte, sec uint32, fromServer bool, flags byte, seq, ack uint32) []byte {
	ip := []byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
	tcp := []byte{0x9c, 0x40, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 1, 0, 0, 0, 0, 0}
	if fromServer {
		ip[15], ip[19] = 2, 1
		tcp[0], tcp[1], tcp[2], tcp[3] = 0, 80, 0x9c, 0x40
	}
	if flags&4 != 0 {
		tcp[14] = 0 // an RST that answers a SYN has no window
	}
	binary.BigEndian.PutUint32(tcp[4:], seq)
	binary.BigEndian.PutUint32(tcp[8:], ack)
	for _, n := range []uint32{sec, 0, 40, 40} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return append(append(b, ip...), tcp...)
}

// TestAnalyzeWhileCapturing reads a pipe that has no more to give and does not end: what is
// known by then is to be seen.
func TestAnalyzeWhileCapturing(t *testing.T) {
	in, capture, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	show, out := io.Pipe()
	code := make(chan int, 1)
	go func() {
		defer out.Close()
		code <- run(context.Background(), []string{"analyze", "--format", "ndjson", "-"}, streams{in: in, out: out, err: os.Stderr})
	}()

	var b []byte
	for _, n := range []uint32{0xa1b2c3d4, 2 | 4<<16, 0, 0, 65535, 101} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	const syn, rst, ack = 2, 4, 16
	b = pcapPacket(b, 1, false, syn, 1000, 0)
	b = pcapPacket(b, 1, true, rst|ack, 0, 1001)
	b = pcapPacket(b, 60, false, syn, 9000, 0) // so late that nothing more of the first is expected
	if _, err := capture.Write(b); err != nil {
		t.Fatal(err)
	}
	rows := bufio.NewScanner(show)
	if !rows.Scan() || !strings.Contains(rows.Text(), `"ending":"refused"`) {
		t.Fatalf("before the pipe ends: %s, want the refused connection", rows.Text())
	}
	capture.Close()
	if !rows.Scan() || !strings.Contains(rows.Text(), `"ending":"unanswered"`) || rows.Scan() {
		t.Errorf("at the end: %s, want the unanswered connection", rows.Text())
	}
	if got := <-code; got != 0 {
		t.Errorf("exit code %d, want 0", got)
	}
}
