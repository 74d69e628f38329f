package closecap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/capture/pcapfile/gen"
)

const generated = 3000

// capture is many connections, the last packet of which is cut off.
func capture(t *testing.T) *pcapfile.Reader {
	t.Helper()
	var b bytes.Buffer
	if _, err := gen.Write(&b, gen.Options{Connections: generated, Open: 500}); err != nil {
		t.Fatal(err)
	}
	return pcapfile.NewReader(bytes.NewReader(b.Bytes()[:b.Len()-1]), "generated", pcapfile.Options{})
}

// joined is the result of recordings as one timeline.
func joined(t *testing.T, files ...string) *analyze.Result {
	t.Helper()
	r, err := pcapfile.Open(files, nil, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	a := New(r, Options{})
	for _, err := range a.Connections(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return a.Result()
}

// Two recordings as one timeline are no run of either's script.
func TestRecordingsAsOne(t *testing.T) {
	for files, want := range map[string]int{"pcaps/close.pcapng": 0, "pcaps/close.pcapng pcaps/close-unread.pcapng": 1} {
		res, warned := joined(t, strings.Fields(files)...), 0
		for _, w := range res.Warnings {
			if strings.Contains(w, "what expect lines of their scripts say is not checked") {
				warned++
			}
		}
		failed := slices.ContainsFunc(res.Expectations, func(e analyze.Expectation) bool { return !e.OK })
		if warned != want || failed || want > 0 && res.Scenario != "" {
			t.Errorf("%s: %d warnings, want %d; an expectation failed: %v; scenario %q", files, warned, want, failed, res.Scenario)
		}
	}
}

// What is said of a connection depends on no other recording, also where that has the same addresses and ports.
func TestRecordingsAsOneSayTheSame(t *testing.T) {
	files, err := filepath.Glob("pcaps/*.pcapng")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	say := func(res *analyze.Result) (all []string) {
		for _, c := range res.Connections {
			said := fmt.Sprint(c.Start, c.Client, c.Server, c.Ending, c.Confidence, c.Closer, c.Bytes, c.Packets, c.LostBytes(), c.Warnings)
			if c.Reset != nil {
				said += fmt.Sprint(c.Reset.By, c.Reset.Cause, c.Reset.Confidence)
			}
			for _, side := range []analyze.Side{analyze.Client, analyze.Server} {
				for _, ch := range *c.States.Of(side) {
					said += fmt.Sprint(side, ch.State, ch.Time, ch.Confidence)
				}
			}
			all = append(all, said)
		}
		return all
	}
	var want []string
	for _, file := range files {
		want = append(want, say(joined(t, file))...)
	}
	got := say(joined(t, files...))
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("each by itself -, all as one +:\n%s", diff)
	}
}

// A recording that is given twice is one: its calls and packets count once.
func TestRecordingGivenTwice(t *testing.T) {
	const file = "pcaps/shutdown-wr.pcapng"
	once, twice := joined(t, file), joined(t, file, file)
	if len(twice.Calls) != len(once.Calls) || !slices.Contains(twice.Warnings, fmt.Sprintf("%d calls recorded twice, counted once", len(once.Calls))) {
		t.Errorf("%d calls given twice, %d once; %q", len(twice.Calls), len(once.Calls), twice.Warnings)
	}
	for i := range min(len(once.Calls), len(twice.Calls)) {
		if got, want := twice.Calls[i], once.Calls[i]; (got.Explain == "") != (want.Explain == "") || len(got.Caused) < len(want.Caused) {
			t.Errorf("call %d caused %d segments (%q), want %d (%q)", i, len(got.Caused), got.Explain, len(want.Caused), want.Explain)
		}
	}
}

// What was read before a file broke comes before the error.
func TestErrorsComeLast(t *testing.T) {
	a := New(capture(t), Options{Source: "generated"})
	if a.Result() != nil {
		t.Error("there is a result before anything was read")
	}
	var n int
	var errs []error
	for c, err := range a.Connections(t.Context()) {
		switch {
		case err != nil:
			errs = append(errs, err)
		case len(errs) > 0:
			t.Fatalf("connection %d comes after %v", c.ID, errs)
		default:
			n++
		}
	}
	if n < generated {
		t.Errorf("%d connections, want %d at least", n, generated)
	}
	if len(errs) != 1 || !errors.Is(errs[0], io.ErrUnexpectedEOF) {
		t.Errorf("errors %v, want one unexpected EOF", errs)
	}
	res := a.Result()
	if res == nil || res.Capture.Packets == 0 || res.Capture.Source != "generated" || len(res.Connections) > 0 {
		t.Errorf("Result() = %+v, want what was read, without connections", res)
	}
}

// A connection may be kept, unless it is transient: then the values are the same, one at a time.
func TestTransient(t *testing.T) {
	next, stop := iter.Pull2(New(capture(t), Options{Transient: func() bool { return true }}).Connections(t.Context()))
	defer stop()
	var kept []*analyze.Connection
	for c, err := range New(capture(t), Options{}).Connections(t.Context()) {
		got, _, ok := next()
		if err != nil {
			break
		}
		if kept = append(kept, c); !ok || got.ID != c.ID || got.Client != c.Client || got.Ending != c.Ending {
			t.Fatalf("transient %v, want %v", got, c)
		}
	}
	seen := map[int]bool{}
	for _, c := range kept {
		seen[c.ID] = true
	}
	if len(seen) < generated {
		t.Errorf("%d different connections were kept, want %d", len(seen), generated)
	}
}

// silent is an interface on which one handshake is refused, another begins, and nothing more comes.
type silent struct{}

func (silent) Records(ctx context.Context) iter.Seq2[*event.Record, error] {
	const syn, rst, ack = 2, 4, 16
	packet := func(frame uint64, at event.Time, flags, seq, acked byte, src, dst [2]byte) *event.Record {
		b := []byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, src[0], 10, 0, 0, dst[0],
			0, src[1], 0, dst[1], 0, 0, 0, seq, 0, 0, 0, acked, 0x50, flags, 1, 0, 0, 0, 0, 0}
		if flags&rst != 0 {
			b[34] = 0 // one that answers a SYN has no window
		}
		return &event.Record{Packet: event.Packet{Frame: frame, Time: at, WireLen: len(b), LinkType: 101, Data: b}}
	}
	client, server := [2]byte{1, 200}, [2]byte{2, 80}
	return func(yield func(*event.Record, error) bool) {
		if yield(packet(1, 1e9, syn, 10, 0, client, server), nil) &&
			yield(packet(2, 1e9+1, rst|ack, 0, 11, server, client), nil) &&
			yield(packet(3, 60e9, syn, 90, 0, client, server), nil) && // so late that nothing more of the first is expected
			yield(nil, nil) {
			<-ctx.Done()
		}
	}
}

func (silent) LinkTypes() []uint16 { return []uint16{101} }
func (silent) Dropped() uint64     { return 0 }

// A source that is no file, and has no end: what is over is shown while it stalls.
func TestStalled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	stalled := func() { got = append(got, "stalled"); cancel() }
	for c, err := range New(silent{}, Options{Stalled: stalled}).Connections(ctx) {
		if err != nil {
			got = append(got, err.Error())
		} else {
			got = append(got, string(c.Ending))
		}
	}
	if want := []string{"refused", "stalled", "unanswered", "context canceled"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// ticking is that interface, which goes on to say that nothing comes until its context ends.
type ticking struct{ silent }

func (s ticking) Records(ctx context.Context) iter.Seq2[*event.Record, error] {
	return func(yield func(*event.Record, error) bool) {
		records, stop := iter.Pull2(s.silent.Records(ctx))
		defer stop()
		for range 3 {
			if rec, err, ok := records(); !ok || !yield(rec, err) {
				return
			}
		}
		for ctx.Err() == nil && yield(nil, nil) {
		}
	}
}

// A source that is live: each connection is shown a second after its end, by the clock that goes on
// while no packet comes, and only once.
func TestLive(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	now := event.Time(60e9)
	clock := func() event.Time {
		now = now.Add(250 * time.Millisecond)
		if now > 400e9 {
			cancel()
		}
		return now
	}
	a := New(ticking{}, Options{Now: clock})
	for c, err := range a.Connections(ctx) {
		if err != nil {
			got = append(got, err.Error())
		} else {
			got = append(got, fmt.Sprintf("%s at %d s", c.Ending, now/1e9))
		}
	}
	if want := []string{"refused at 60 s", "unanswered at 360 s", "context canceled"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if res := a.Result(); res == nil || res.Capture.Packets != 3 {
		t.Errorf("Result() = %+v, want 3 packets", res)
	}
}

// Whoever leaves the loop ends a wait for more, and leaves no goroutine behind.
func TestLeavingTheLoop(t *testing.T) {
	before := runtime.NumGoroutine()
	a := New(silent{}, Options{})
	for range a.Connections(t.Context()) {
		break
	}
	if a.Result() != nil {
		t.Error("there is a result of what was not read to its end")
	}
	// The goroutines have said that they are done, and may be just about to be gone.
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
