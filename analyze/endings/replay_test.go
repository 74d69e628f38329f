package endings

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze/event"
)

// watcher judges events as closecap watch does, and notes what it needs to do so again.
type watcher struct {
	entries []event.KernelEntry
	tracker *Tracker
	asked   bool
	judged  []*Connection
}

func watch(own ...netip.Addr) *watcher {
	w := &watcher{}
	w.entries = append(w.entries, event.KernelEntry{Begin: &event.KernelWatch{Time: 1, Own: own}})
	w.tracker = NewTracker(Options{State: w.state, Local: func(a netip.Addr) bool {
		for _, o := range own {
			if a == o {
				return true
			}
		}
		return false
	}})
	return w
}

// state gives an answer that no event tells: the first time the peer has not closed, then it has.
func (w *watcher) state(netns uint32, local, remote netip.AddrPort) event.TCPState {
	s := event.FinWait2
	if w.asked {
		s = event.TimeWait
	}
	w.asked = true
	w.entries = append(w.entries, event.KernelEntry{Answer: &event.KernelAnswer{Netns: netns, Local: local, Remote: remote, State: s}})
	return s
}

func (w *watcher) add(k event.KernelEvent) {
	w.tracker.Add(k)
	w.entries = append(w.entries, event.KernelEntry{KernelEvent: k})
}

func (w *watcher) judge(now event.Time) {
	w.judged = append(w.judged, w.tracker.Ready(now)...)
	w.entries = append(w.entries, event.KernelEntry{Told: &event.KernelTold{Time: now}})
}

func (w *watcher) end(now event.Time) {
	w.judged = append(w.judged, w.tracker.Rest(now)...)
	w.entries = append(w.entries, event.KernelEntry{Told: &event.KernelTold{Time: now, End: true}})
}

// replay judges entries that have been through JSON.
func replay(t *testing.T, entries []event.KernelEntry) []*Connection {
	t.Helper()
	r := NewReplay(entries[0].Begin)
	var out []*Connection
	for _, e := range entries[1:] {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var read event.KernelEntry
		if err := json.Unmarshal(b, &read); err != nil {
			t.Fatal(err)
		}
		if err := read.Check(); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		over, err := r.Add(&read)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, over...)
	}
	return append(out, r.Rest()...)
}

func asJSON(t *testing.T, cs []*Connection) string {
	t.Helper()
	b, err := json.MarshalIndent(cs, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReplay judges every recorded scenario as a watcher would, judging in the middle of it, and
// then again from what the watcher noted.
func TestReplay(t *testing.T) {
	for name, r := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			w := watch()
			var now event.Time
			for _, k := range r.events {
				w.add(k)
				now = max(now, w.entries[len(w.entries)-1].When())
				w.judge(now.Add(20 * time.Millisecond))
			}
			w.end(now.Add(time.Second))
			if d := cmp.Diff(asJSON(t, w.judged), asJSON(t, replay(t, w.entries))); d != "" {
				t.Errorf("watched -, replayed +\n%s", d)
			}
			for _, c := range w.judged {
				for l := range c.Losses() {
					if n, sent := l.Unacked+l.Unread+l.AfterClose, *c.Bytes.Of(l.From); n > sent {
						t.Errorf("lost %+v of %d bytes", *l, sent)
					}
				}
			}
		})
	}
}

// TestReplayNames: a watcher that is told who holds a socket that has ended waits for that with its verdict, and so
// does who judges it again.
func TestReplayNames(t *testing.T) {
	w := watch()
	w.entries[0].Begin.Names, w.tracker.opt.Names = true, true
	e := &event.Endpoint{Socket: 2, Local: there, Remote: here, Born: true, Accepted: true, HadFile: true, Held: true,
		Steps: steps(second, event.Established, event.Closed)}
	e.ResetIn = e.Stop()
	w.add(event.KernelEvent{Endpoint: e})
	w.judge(e.Stop().Add(2 * settling))
	task := &event.Task{PID: 9, TID: 9, Comm: "httpd", FD: 4, Owner: true}
	w.add(event.KernelEvent{Held: &event.Held{Time: e.Stop().Add(3 * settling), Socket: 2, Task: task}})
	w.end(e.Stop().Add(4 * settling))
	if c := only(t, w.judged); c.Tasks.Server == nil || c.Tasks.Server.Comm != "httpd" {
		t.Fatalf("server %+v, want httpd", c.Tasks.Server)
	}
	if d := cmp.Diff(asJSON(t, w.judged), asJSON(t, replay(t, w.entries))); d != "" {
		t.Errorf("watched -, replayed +\n%s", d)
	}
}

// TestReplayAnswers needs what the kernel said when it was asked: without, both verdicts are others.
func TestReplayAnswers(t *testing.T) {
	w := watch(there.Addr())
	away := lone(event.SynSent, event.Established, event.FinWait1, event.FinWait2, event.Closed)
	away.Remote = netip.MustParseAddrPort("198.51.100.9:80")
	w.add(event.KernelEvent{Endpoint: away})
	for now := 6 * second; now < 12*second; now += second {
		w.judge(now)
	}
	local := lone(event.SynSent, event.Established, event.CloseWait, event.LastAck, event.Closed)
	local.Socket = 2
	w.add(event.KernelEvent{Endpoint: local})
	w.judge(12 * second)
	w.end(13 * second)
	if len(w.judged) != 2 {
		t.Fatalf("%d connections, want 2", len(w.judged))
	}
	if d := cmp.Diff(asJSON(t, w.judged), asJSON(t, replay(t, w.entries))); d != "" {
		t.Errorf("watched -, replayed +\n%s", d)
	}
	var dumb []event.KernelEntry
	for _, e := range w.entries {
		if e.Answer == nil {
			dumb = append(dumb, e)
		}
	}
	if asJSON(t, w.judged) == asJSON(t, replay(t, dumb)) {
		t.Error("the answers make no difference")
	}
}

// TestReplayCut judges what a recording without end holds.
func TestReplayCut(t *testing.T) {
	w := watch()
	w.add(event.KernelEvent{Endpoint: lone(event.SynSent, event.Established, event.CloseWait, event.LastAck, event.Closed)})
	if got := only(t, replay(t, w.entries)); got.Client != here {
		t.Errorf("client %v, want %v", got.Client, here)
	}
}

func TestReplayRefuses(t *testing.T) {
	begin := &event.KernelWatch{Time: 1}
	end := &event.KernelEntry{Told: &event.KernelTold{Time: 2, End: true}}
	free := &event.KernelEntry{KernelEvent: event.KernelEvent{Release: &event.Release{Time: 1}}}
	r := NewReplay(begin)
	if _, err := r.Add(&event.KernelEntry{Begin: begin}); err == nil {
		t.Error("a second begin is taken")
	}
	for i := 2; ; i++ {
		if _, err := r.Add(free); err != nil {
			if i != maxUntold+1 {
				t.Errorf("entry %d is one too many, want %d", i, maxUntold+1)
			}
			break
		}
	}
	r = NewReplay(begin)
	if _, err := r.Add(end); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Add(free); err == nil {
		t.Error("an event after the end is taken")
	}
}

// TestManyOfOnePair bounds the time and the memory that a flood on one pair of addresses takes.
func TestManyOfOnePair(t *testing.T) {
	tr := NewTracker(Options{})
	const many = 50_000
	for i := range event.Time(many) {
		e := lone(event.SynSent, event.Established, event.FinWait1, event.Closed)
		e.Socket = uint64(i + 1)
		tr.Add(event.KernelEvent{Endpoint: e})
		tr.Add(event.KernelEvent{Reset: &event.KernelReset{Time: i, Local: here, Remote: there, Socket: 1}})
		tr.Add(event.KernelEvent{Reset: &event.KernelReset{Time: i, Local: here, Remote: there}})
	}
	for _, p := range tr.order {
		if len(p.resets) > maxResets {
			t.Fatalf("%d RSTs kept of one connection", len(p.resets))
		}
	}
	if got := len(tr.Rest(0)); got != many {
		t.Errorf("%d connections, want %d", got, many)
	}
}

// FuzzReplay judges whatever passes the check.
func FuzzReplay(f *testing.F) {
	files, err := filepath.Glob("testdata/*.ndjson")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, events, _ := bytes.Cut(text, []byte("\n"))
		f.Add(append(events, `{"answer":{"netns":1,"local":"127.0.0.1:1","remote":"127.0.0.1:2","state":"TIME_WAIT"}}
{"told":{"time":"2026-11-28T15:04:13.812686513Z"}}`...))
	}
	f.Add([]byte(`{"reset":{"time":"2026-11-28T15:04:13Z","local":"127.0.0.1:1","remote":"127.0.0.1:2","reason":"TCP_ABORT_ON_DATA","state":"CLOSED"}}
{"reset":{"time":"2026-11-28T15:04:13Z","local":"127.0.0.1:1","remote":"127.0.0.1:2","reason":"NO_SOCKET","state":"unknown"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReplay(&event.KernelWatch{Time: 1})
		var judged []*Connection
		for line := range bytes.Lines(b) {
			var e event.KernelEntry
			if json.Unmarshal(line, &e) != nil || e.Check() != nil {
				continue
			}
			_ = e.Summary()
			over, err := r.Add(&e)
			if err != nil {
				break
			}
			judged = append(judged, over...)
		}
		for _, c := range append(judged, r.Rest()...) {
			if _, err := json.Marshal(c); err != nil {
				t.Errorf("connection %d: %v", c.ID, err)
			}
		}
	})
}
