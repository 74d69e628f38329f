package main

import (
	"encoding/binary"
	"strings"
	"testing"
)

// TestDroppedPacketsByConnection reads a pcapng without calls whose interface lost five packets: the
// connection that is whole by its own numbers stays as it is, and how many may lack some is said.
func TestDroppedPacketsByConnection(t *testing.T) {
	block := func(b []byte, kind uint32, body []byte) []byte {
		size := uint32(12 + len(body))
		b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, kind), size)
		return binary.LittleEndian.AppendUint32(append(b, body...), size)
	}
	file := block(nil, 0x0a0d0d0a, []byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255})
	file = block(file, 1, []byte{101, 0, 0, 0, 0, 0, 0, 0})
	const fin, syn, ack = 1, 2, 16
	for _, p := range []struct {
		fromServer bool
		flags      byte
		seq, ack   uint32
	}{
		{false, syn, 1000, 0}, {true, syn | ack, 5000, 1001}, {false, ack, 1001, 5001},
		{false, fin | ack, 1001, 5001}, {true, fin | ack, 5001, 1002}, {false, ack, 1002, 5002},
		{false, syn, 90000, 0}, {true, syn | ack, 70000, 90001}, // the next, of which more may be missing
	} {
		record := pcapPacket(nil, 1, p.fromServer, p.flags, p.seq, p.ack)[16:]
		body := make([]byte, 20, 20+len(record))
		binary.LittleEndian.PutUint32(body[8:], 1_000_000)
		binary.LittleEndian.PutUint32(body[12:], uint32(len(record)))
		binary.LittleEndian.PutUint32(body[16:], uint32(len(record)))
		file = block(file, 6, append(body, record...))
	}
	file = block(file, 5, []byte{
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 8, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // isb_ifdrop 5
	})
	var out, msg strings.Builder
	if code := run(t.Context(), []string{"analyze", "--format", "ndjson", "-"}, streams{in: strings.NewReader(string(file)), out: &out, err: &msg}); code != exitDone {
		t.Fatalf("exit %d: %s", code, msg.String())
	}
	const want = "the capture lost 5 packets: by their own numbers 1 of 2 connections may lack some"
	if !strings.Contains(msg.String(), want) {
		t.Errorf("standard error: %s, want %q", msg.String(), want)
	}
	first, _, _ := strings.Cut(out.String(), "\n")
	if !strings.Contains(first, `"closer_confidence":"observed"`) || !strings.Contains(first, `"warnings":[]`) {
		t.Errorf("the whole connection: %s, want it observed without a warning", first)
	}
}
