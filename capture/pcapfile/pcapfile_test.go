package pcapfile

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/intake"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func readAll(t testing.TB, b []byte) ([]Record, error) {
	t.Helper()
	r := NewReader(bytes.NewReader(b), "test", Options{})
	defer r.Close()
	var all []Record
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		c := *rec
		c.Packet.Data = bytes.Clone(c.Packet.Data)
		if c.Call != nil {
			call := *c.Call
			c.Call = &call
		}
		all = append(all, c)
	}
}

func sampleRecording() *event.Recording {
	rec := &event.Recording{
		Run: event.Run{
			Tool: "closecap 0.1.0", Scenario: "close", Source: "lo", LinkType: "EN10MB",
			Kernel: "6.18.44", Netns: "private", Counters: map[string]int64{"TW": 1},
			Dropped: 3, SameHost: true, Warnings: []string{"3 packets lost\xff"},
		},
		Expectations: []event.Expectation{{
			At: "close:3", Text: "expect closer client", Subject: "closer", Args: []string{"client"},
		}},
	}
	for i := range 3 {
		data := bytes.Repeat([]byte{byte(i)}, 61+i)
		rec.Packets = append(rec.Packets, event.Packet{
			Frame: uint64(i + 1), Time: event.Time(1764000000123456789 + i*1000), WireLen: len(data) + i,
			LinkType: 1, Data: data,
		})
		rec.Calls = append(rec.Calls, &event.Call{
			Actor: "client", PID: 7, TID: 8, FD: 3, Name: "send", Args: "\"h\xff\n\x1b[1m\U0010fe41<&\"",
			Ret: 12, Start: event.Time(1764000000123456000 + i*1000), End: event.Time(1764000000123456900 + i*1000),
			Local: netip.MustParseAddrPort("127.0.0.1:40000"), RecvQ: -1, Text: "\x00\xfe\xff",
			Holders: []event.Holder{{PID: 9, FD: 4}}, Counters: map[string]int64{"TW\xff": 1},
			Samples: []event.Sample{{Time: 5, State: event.FinWait2, Timer: "timewait"}},
		})
	}
	rec.Number()
	return rec
}

func TestRecordingRoundTrip(t *testing.T) {
	rec := sampleRecording()
	var buf bytes.Buffer
	about := Interface{Name: "lo", Filter: "tcp port 80", LinkType: 1, SnapLen: 262144}
	comment := func(frame uint64) string { return map[uint64]string{2: "client send(3) caused this"}[frame] }
	if err := WriteRecording(&buf, rec, about, comment, "the client closed first"); err != nil {
		t.Fatal(err)
	}
	r := NewReader(bytes.NewReader(buf.Bytes()), "rec", Options{})
	got, err := intake.ReadRecording(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	rec.Packets[0].Comment = comment(2)
	opts := cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.AddrPort{})}
	if d := cmp.Diff(rec, got, opts); d != "" {
		t.Errorf("ReadRecording(WriteRecording(rec)) differs (-want +got):\n%s", d)
	}
	about.File, about.Dropped = "rec", 3
	if d := cmp.Diff([]Interface{about}, r.Interfaces()); d != "" {
		t.Errorf("Interfaces (-want +got):\n%s", d)
	}
}

func TestTruncatedFileKeepsWhatCameBefore(t *testing.T) {
	rec := sampleRecording()
	var buf bytes.Buffer
	if err := WriteRecording(&buf, rec, Interface{}, nil, ""); err != nil {
		t.Fatal(err)
	}
	whole, err := readAll(t, buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for n := 5; n < buf.Len(); n += 3 {
		got, err := readAll(t, buf.Bytes()[:n])
		if len(got) > len(whole) {
			t.Fatalf("cut at %d: %d records, want at most %d", n, len(got), len(whole))
		}
		for i := range got {
			if d := cmp.Diff(whole[i], got[i], cmpopts.EquateComparable(netip.AddrPort{})); d != "" {
				t.Fatalf("cut at %d: record %d differs:\n%s", n, i, d)
			}
		}
		var fe *FileError
		if err != nil && (!errors.As(err, &fe) || fe.Offset > int64(n) || !errors.Is(err, io.ErrUnexpectedEOF)) {
			t.Fatalf("cut at %d: error %v, want an unexpected EOF with an offset", n, err)
		}
	}
}

// Nobody gets a recording that could not be read back.
func TestWriterRefusesWhatTheReaderWould(t *testing.T) {
	for name, c := range map[string]event.Call{
		"long":      {Text: string(bytes.Repeat([]byte{'x'}, maxCall))},
		"many":      {Samples: make([]event.Sample, maxList+1)},
		"escaped":   {Text: string(bytes.Repeat([]byte{0xff}, maxCall/4+1))},
		"in a list": {Holders: make([]event.Holder, maxList+1)},
	} {
		w, err := NewWriter(io.Discard, &event.Run{}, Interface{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Call(&c); err == nil {
			t.Errorf("%s: Call is written", name)
		}
	}
}

func TestReaderBoundsLists(t *testing.T) {
	n := &ng{order: le}
	n.section()
	n.block(blockJournal, []byte(`CLOSECAP_CALL={"samples":[`+string(bytes.Repeat([]byte("{},"), maxList))+"{}]}\n\n"))
	if _, err := readAll(t, n.b); err == nil || !strings.Contains(err.Error(), "a list of 1025") {
		t.Errorf("a list of %d: %v, want it refused", maxList+1, err)
	}
}
