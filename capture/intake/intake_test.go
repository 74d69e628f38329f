package intake

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime"
	"testing"
	"testing/iotest"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/pcapfile"
)

// repeated is a pcap whose packets are real segments.
func repeated(n int) []byte {
	le := binary.LittleEndian
	var b []byte
	for _, word := range []uint32{0xa1b2c3d4, 2 | 4<<16, 0, 0, 65535, 101} { // raw IP
		b = le.AppendUint32(b, word)
	}
	segment := []byte{
		0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		1, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 1, 0, 0, 0, 0, 0,
	}
	for i := range n {
		b = le.AppendUint32(b, uint32(i+1))
		b = le.AppendUint32(b, 0)
		b = le.AppendUint32(b, uint32(len(segment)))
		b = le.AppendUint32(b, uint32(len(segment)))
		b = append(b, segment...)
	}
	return b
}

func TestBatches(t *testing.T) {
	const n = 5*batchSize + 3
	b := repeated(n)
	r := pcapfile.NewReader(bytes.NewReader(append(b, 1, 2, 3)), "x", pcapfile.Options{})
	var next uint64 = 1
	var counts Counts
	var errs []error
	for batch, err := range Batches(context.Background(), r, Options{}) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for i := range batch.Segments {
			if f := batch.Segments[i].Frame; f != next {
				t.Fatalf("segment of frame %d, want %d", f, next)
			}
			next++
		}
		counts = batch.Counts
	}
	if next != n+1 || counts.Packets != n || counts.Segments != n || counts.First != 1e9 || counts.Last != n*1e9 {
		t.Errorf("%d segments, counts %+v; want %d", next-1, counts, n)
	}
	if len(errs) != 1 || !errors.Is(errs[0], io.ErrUnexpectedEOF) {
		t.Errorf("errors %v, want one unexpected EOF", errs)
	}
}

func TestBatchesCarryCallsAndRun(t *testing.T) {
	rec := sampleRecording()
	var buf bytes.Buffer
	if err := pcapfile.WriteRecording(&buf, rec, pcapfile.Interface{}, nil, "done"); err != nil {
		t.Fatal(err)
	}
	var calls, runs int
	var counts Counts
	for batch, err := range Batches(context.Background(), pcapfile.NewReader(&buf, "x", pcapfile.Options{}), Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		calls += len(batch.Calls)
		if batch.Run != nil {
			runs++
			if batch.Run.Scenario != "close" || len(batch.Expectations) != 1 {
				t.Errorf("run %+v, expectations %v", batch.Run, batch.Expectations)
			}
		}
		counts = batch.Counts
	}
	if calls != 3 || runs != 1 || counts.Packets != 3 || counts.Cut != 2 {
		t.Errorf("%d calls, %d runs, counts %+v; want 3, 1 and 3 packets, 2 of them cut", calls, runs, counts)
	}
}

// Whoever stops early, or is told to, leaves no goroutine behind.
func TestBatchesStop(t *testing.T) {
	b := repeated(100 * batchSize)
	before := runtime.NumGoroutine()
	for range Batches(context.Background(), pcapfile.NewReader(bytes.NewReader(b), "x", pcapfile.Options{}), Options{}) {
		break
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var last error
	n := 0
	for _, err := range Batches(ctx, pcapfile.NewReader(bytes.NewReader(b), "x", pcapfile.Options{}), Options{}) {
		if n++; n == 2 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the last error is %v, want context.Canceled", last)
	}
	if n > 4+inFlight {
		t.Errorf("%d batches after the cancel", n-2)
	}
	// The goroutine has said that it is done, and may be just about to be gone.
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// A pipe whose writer stays silent must not hold up whoever wants to stop.
func TestBatchesStopWhileInputStalls(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	const n = 3
	if _, err := out.Write(repeated(n)); err != nil {
		t.Fatal(err)
	}
	r, err := pcapfile.Open([]string{"-"}, in, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for read, _ := r.Progress(); read < int64(len(repeated(n))); read, _ = r.Progress() {
			runtime.Gosched()
		}
		cancel()
	}()
	var last error
	for _, err := range Batches(ctx, r, Options{}) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the last error is %v, want context.Canceled", last)
	}
}

// What has arrived is handed over while a pipe has no more.
func TestBatchesWhileInputStalls(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := out.Write(repeated(3)); err != nil {
		t.Fatal(err)
	}
	r, err := pcapfile.Open([]string{"-"}, in, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for b, err := range Batches(context.Background(), r, Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n += len(b.Segments); n == 3 && b.Stalled {
			out.Write(repeated(2)[24:])
			out.Close()
		}
	}
	if n != 5 {
		t.Errorf("%d segments, want 3 before the pipe stalled and 2 after", n)
	}
}

// sampleRecording is three packets, each after a call.
func sampleRecording() *event.Recording {
	rec := &event.Recording{
		Run:          event.Run{Tool: "closecap", Scenario: "close"},
		Expectations: []event.Expectation{{At: "close:3", Text: "expect closer client", Subject: "closer", Args: []string{"client"}}},
	}
	for i := range 3 {
		at := event.Time(1764000000123456789 + i*1000)
		data := make([]byte, 61+i)
		rec.Packets = append(rec.Packets, event.Packet{Frame: uint64(i + 1), Time: at, WireLen: len(data) + i, LinkType: 1, Data: data})
		rec.Calls = append(rec.Calls, &event.Call{Actor: "client", Name: "send", Start: at - 700, End: at + 100})
	}
	rec.Number()
	return rec
}

// The calls of a recording decide how it is read: its beginning waits for them.
func TestRecordingIsNotCutWhereInputStalls(t *testing.T) {
	var recording bytes.Buffer
	if err := pcapfile.WriteRecording(&recording, sampleRecording(), pcapfile.Interface{}, nil, "done"); err != nil {
		t.Fatal(err)
	}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r, err := pcapfile.Open([]string{"-"}, in, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	half := recording.Len() / 2
	if _, err := out.Write(recording.Next(half)); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() {
		io.Copy(out, &recording)
		out.Close()
	})
	var calls []int
	for b, err := range Batches(context.Background(), r, Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, len(b.Calls))
	}
	if len(calls) != 1 || calls[0] != 3 {
		t.Errorf("calls by batch: %v, want all 3 in one", calls)
	}
}

func TestStandardInputInPieces(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	const n = 5000
	go func() {
		defer out.Close()
		io.Copy(struct{ io.Writer }{out}, iotest.HalfReader(bytes.NewReader(repeated(n))))
	}()
	r, err := pcapfile.Open([]string{"-"}, in, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var counts Counts
	for b, err := range Batches(context.Background(), r, Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		counts = b.Counts
	}
	if counts.Segments != n {
		t.Errorf("%d segments, want %d", counts.Segments, n)
	}
}
