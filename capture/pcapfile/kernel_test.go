package pcapfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/closecap/closecap/analyze/event"
)

// kernelEntries are one of each kind.
func kernelEntries() []event.KernelEntry {
	a, b := netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("[2001:db8::1]:80")
	task := &event.Task{PID: 7, TID: 8, Comm: "a\xff\n\x1b\u202e", Call: "close", FD: 3, Owner: true}
	return []event.KernelEntry{
		{Begin: &event.KernelWatch{Time: 5, Own: []netip.Addr{a.Addr(), b.Addr()}, Ports: 28232, Lacks: []string{"this kernel knows nothing"}}},
		{KernelEvent: event.KernelEvent{Endpoint: &event.Endpoint{
			Socket: 9, Local: a, Remote: b, Born: true, Linger2: -1, Errno: "EPIPE", Unread: 7, End: task,
			Steps: []event.Transition{{State: event.Established}, {State: event.Closed, Time: 6, Owned: true}},
		}}},
		{KernelEvent: event.KernelEvent{Reset: &event.KernelReset{
			Time: 7, Local: b, Remote: a, Reason: "NO_SOCKET", State: event.TimeWait, Substate: event.FinWait2, Task: task,
			Offender: &event.Offender{Flags: event.FIN | event.ACK, Seq: 1, Ack: 2, Len: 3},
		}}},
		{KernelEvent: event.KernelEvent{Release: &event.Release{Time: 8, Socket: 9, Task: task}}},
		{KernelEvent: event.KernelEvent{Held: &event.Held{Time: 8, Socket: 9, Task: task}}},
		{Answer: &event.KernelAnswer{Netns: 1, Local: a, Remote: b, State: event.FinWait2}},
		{Lost: &event.KernelLosses{RingFull: 1, NoRecord: 2, Recursion: 3, Untold: 5, Damaged: 4}},
		{Told: &event.KernelTold{Time: 9, End: true}},
	}
}

// TestKernelEntries names the kind of entry that was forgotten above, or where what may be recorded, its
// time and its line in words are said.
func TestKernelEntries(t *testing.T) {
	entries := kernelEntries()
	for _, kind := range []reflect.Type{reflect.TypeFor[event.KernelEntry](), reflect.TypeFor[event.KernelEvent]()} {
		for i := range kind.NumField() {
			field := kind.Field(i)
			if field.Anonymous {
				continue
			}
			at := slices.IndexFunc(entries, func(e event.KernelEntry) bool {
				return !reflect.ValueOf(e).FieldByName(field.Name).IsNil()
			})
			if at < 0 {
				t.Errorf("no entry has %s", field.Name)
				continue
			}
			e := &entries[at]
			if err := e.Check(); err != nil {
				t.Errorf("%s: %v", field.Name, err)
			}
			timed := field.Name != "Lost" && field.Name != "Answer"
			if words := e.Summary(); words == "" || timed && e.When() == 0 || field.Name != "Told" && strings.Contains(words, "judged") {
				t.Errorf("%s: %q at %v", field.Name, words, e.When())
			}
		}
	}
}

func kernelRecording(t testing.TB) []byte {
	t.Helper()
	var buf bytes.Buffer
	run := &event.Run{Tool: "closecap", Kernel: "6.18"}
	w, err := NewWriter(&buf, run, Interface{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range kernelEntries() {
		if err := w.Kernel(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(run, nil, "nothing"); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestKernel reads back what the kernel told, as it was written, after First has looked at it.
func TestKernel(t *testing.T) {
	r := NewReader(bytes.NewReader(kernelRecording(t)), "kernel", Options{})
	first, err := r.First(t.Context())
	if err != nil || first.Kernel == nil || first.Kernel.Begin == nil {
		t.Fatalf("first record %+v, error %v, want the watching's begin", first, err)
	}
	var got []event.KernelEntry
	frames := uint64(0)
	for rec, err := range r.Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if frames++; rec.Packet.Frame != frames {
			t.Errorf("frame %d is numbered %d", frames, rec.Packet.Frame)
		}
		if rec.Kernel != nil {
			if when := rec.Kernel.When(); when != 0 && rec.Packet.Time != when {
				t.Errorf("frame %d at %v, want %v", frames, rec.Packet.Time, when)
			}
			got = append(got, *rec.Kernel)
		}
	}
	opts := cmp.Options{cmpopts.EquateComparable(netip.AddrPort{}, netip.Addr{})}
	if d := cmp.Diff(kernelEntries(), got, opts); d != "" {
		t.Errorf("written -, read +\n%s", d)
	}
	if want := uint64(len(got) + 1); frames != want {
		t.Errorf("%d frames, want %d", frames, want)
	}
}

// TestKernelHostile refuses what no watcher writes, and says where it stands.
func TestKernelHostile(t *testing.T) {
	ends := `"local":"10.0.0.1:1","remote":"10.0.0.2:2"`
	closed := `"steps":[{"state":"CLOSED"}]`
	step := `{"state":"CLOSED"},`
	for name, tt := range map[string]struct{ entry, want string }{
		"nothing":      {`{}`, "of 0 kinds"},
		"two":          {`{"lost":{},"told":{"time":"2026-01-02T00:00:00Z"}}`, "of 2 kinds"},
		"no address":   {`{"endpoint":{` + closed + `}}`, "an address is missing"},
		"zone":         {`{"endpoint":{"local":"[fe80::1%` + strings.Repeat("x", 999) + `]:1","remote":"10.0.0.2:2",` + closed + `}}`, "zone"},
		"no state":     {`{"endpoint":{` + ends + `}}`, "endpoint with 0 states"},
		"many states":  {`{"endpoint":{` + ends + `,"steps":[` + strings.Repeat(step, 99) + `{"state":"CLOSED"}]}}`, "endpoint with 100 states"},
		"unknown":      {`{"endpoint":{` + ends + `,"steps":[{"state":"unknown"}]}}`, "in state unknown"},
		"early":        {`{"endpoint":{` + ends + `,"steps":[{"state":"CLOSED","time":"1960-01-01T00:00:00Z"}]}}`, "at -315619200"},
		"long name":    {`{"endpoint":{` + ends + `,` + closed + `,"end":{"comm":"` + strings.Repeat("n", 65) + `"}}}`, "a word of 65 bytes"},
		"bad pid":      {`{"endpoint":{` + ends + `,` + closed + `,"end":{"pid":-1}}}`, "pid -1"},
		"no time":      {`{"reset":{` + ends + `}}`, "time 0"},
		"ports":        {`{"begin":{"time":"2026-01-02T00:00:00Z","own":[],"ports":65537}}`, "65537 ephemeral ports"},
		"no own":       {`{"begin":{"time":"2026-01-02T00:00:00Z","own":[""]}}`, "own address"},
		"many own":     {`{"begin":{"time":"2026-01-02T00:00:00Z","own":["::1"` + strings.Repeat(`,"::1"`, 4096) + `]}}`, "4097 addresses"},
		"answer":       {`{"answer":{"state":"CLOSED"}}`, "an address is missing"},
		"no JSON":      {`{"reset":7}`, "cannot unmarshal"},
		"beyond bound": {`{"lost":{}` + strings.Repeat(" ", maxKernel) + `}`, "beyond 262144"},
	} {
		t.Run(name, func(t *testing.T) {
			var n ng
			n.order = binary.LittleEndian
			n.section()
			n.block(blockJournal, []byte("__REALTIME_TIMESTAMP=5\n"+fieldKernel+"="+tt.entry+"\n\n"))
			r := NewReader(bytes.NewReader(n.b), "hostile", Options{})
			_, err := r.Next()
			if err == nil || err == io.EOF || !strings.Contains(fmt.Sprint(err), tt.want) || !strings.Contains(fmt.Sprint(err), "byte 28: journal entry: "+fieldKernel) {
				t.Errorf("error %v, want %q and the entry's place", err, tt.want)
			}
		})
	}
}
