package flows

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/internal/story"
)

const (
	handshake = `
1 0.000 client > server S seq 1000 win 64240
2 0.001 server > client S. seq 5000 ack 1001 win 65160
3 0.002 client > server . seq 1001 ack 5001 win 502
`
	bothFins = handshake + `
4 0.003 client > server F. seq 1001 ack 5001 win 502
5 0.004 server > client F. seq 5001 ack 1002 win 502
`
	closedByFins = bothFins + `
6 0.005 client > server . seq 1002 ack 5002 win 502
`
)

// TestEarly hands a connection out when it has been over for the wait, once.
func TestEarly(t *testing.T) {
	at := func(d time.Duration) event.Time { return event.Time(d) }
	for _, test := range []struct {
		name, segments string
		until          time.Duration // when nothing is handed out yet
		ending         analyze.Ending
		then           time.Duration // when it is
	}{
		{"graceful", closedByFins, 900 * time.Millisecond, analyze.Graceful, 1100 * time.Millisecond},
		{"reset", handshake + "4 0.003 client > server R. seq 1001 ack 5001 win 502\n", 900 * time.Millisecond, analyze.WasReset, 1100 * time.Millisecond},
		{"refused", `
1 0.000 client > server S seq 1000 win 64240
2 0.001 server > client R. seq 0 ack 1001 win 0
`, 900 * time.Millisecond, analyze.WasRefused, 1100 * time.Millisecond},
		{"the last ACK may yet come", bothFins, 2900 * time.Millisecond, analyze.Graceful, 4100 * time.Millisecond},
		{"open", handshake, time.Hour, "", 2 * time.Hour},
		{"half-closed", handshake + "4 0.003 client > server F. seq 1001 ack 5001 win 502\n5 0.004 server > client . seq 5001 ack 1002 win 502\n",
			time.Hour, "", 2 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out []*analyze.Connection
			f := NewFollower(analyze.Options{}, func(c *analyze.Connection) { out = append(out, c) })
			f.Early(time.Second)
			segments := story.Parse(t, test.segments)
			f.Segments(segments)
			for now := at(0); now < at(test.until); now = now.Add(test.until / 50) {
				f.Pass(now)
			}
			if len(out) != 0 {
				t.Fatalf("%v after %v, want it not yet", out[0].Ending, test.until)
			}
			f.Pass(at(test.then / 2)) // a clock that goes back changes nothing
			for now := at(test.until); now <= at(test.then); now = now.Add(10 * time.Millisecond) {
				f.Pass(now)
			}
			if test.ending == "" {
				if f.Finish(); len(out) != 1 {
					t.Errorf("%d connections in the end, want 1", len(out))
				}
				return
			}
			if len(out) != 1 || out[0].Ending != test.ending {
				t.Fatalf("%+v, want one connection, %s", out, test.ending)
			}
			for _, err := range analyze.Validate(&analyze.Result{Connections: out}) {
				t.Errorf("validate: %v", err)
			}
			// What comes late belongs to it, and does not show it again.
			late := segments[len(segments)-1]
			late.Frame++
			late.Time = at(test.then + time.Second)
			f.Segment(&late)
			f.Pass(at(time.Hour))
			if f.Finish(); len(out) != 1 || f.Stats().Open != 0 {
				t.Errorf("%d connections and %d open in the end, want 1 and 0", len(out), f.Stats().Open)
			}
		})
	}
}

// TIME_WAIT is told of while it lasts, until its end.
func TestEarlyTimeWait(t *testing.T) {
	var out []*analyze.Connection
	f := NewFollower(analyze.Options{}, func(c *analyze.Connection) { out = append(out, c) })
	f.Early(time.Second)
	f.Segments(story.Parse(t, closedByFins))
	f.Pass(event.Time(2 * time.Second))
	if len(out) != 1 || len(out[0].TimeWait) != 1 || out[0].TimeWait[0].EndedBy != "" ||
		out[0].TimeWait[0].Until.Sub(out[0].TimeWait[0].Since) != analyze.LinuxTimeWait {
		t.Errorf("%+v, want one connection with a TIME_WAIT of a minute that has not ended", out)
	}
}

// A 4-tuple that is used again is another connection, also while the first is remembered.
func TestEarlyReuse(t *testing.T) {
	var out []*analyze.Connection
	f := NewFollower(analyze.Options{}, func(c *analyze.Connection) { out = append(out, c) })
	f.Early(time.Second)
	for i := range 3 {
		for _, s := range story.Parse(t, closedByFins) {
			s.Frame += uint64(6 * i)
			s.Time = s.Time.Add(time.Duration(i) * 5 * time.Second)
			s.Seq, s.Ack = s.Seq.Add(uint32(100000*i)), s.Ack.Add(uint32(100000*i))
			f.Segment(&s)
		}
		f.Pass(event.Time(time.Duration(i)*5*time.Second + 2*time.Second))
		if len(out) != i+1 || out[i].Ending != analyze.Graceful || out[i].ID != i+1 {
			t.Fatalf("%d connections after connection %d", len(out), i+1)
		}
	}
}

// A connection that an RST seemed to end, and that goes on, is handed out again when it ends.
func TestEarlyGoesOn(t *testing.T) {
	// Windows sends the SYN again after an RST; that is taken.
	segments := story.Parse(t, `
1 0.000 client > server S seq 1000 win 64240
2 0.001 server > client R. seq 0 ack 1001 win 0
3 2.000 client > server S seq 1000 win 64240
4 2.001 server > client S. seq 5000 ack 1001 win 65160
5 2.002 client > server . seq 1001 ack 5001 win 502
6 9.003 client > server F. seq 1001 ack 5001 win 502
7 9.004 server > client F. seq 5001 ack 1002 win 502
8 9.005 client > server . seq 1002 ack 5002 win 502
`)
	var endings []analyze.Ending
	f := NewFollower(analyze.Options{}, func(c *analyze.Connection) { endings = append(endings, c.Ending) })
	f.Early(time.Second)
	f.Segments(segments)
	f.Pass(event.Time(11 * time.Second))
	f.Finish()
	if want := []analyze.Ending{analyze.WasRefused, analyze.Graceful}; !cmp.Equal(endings, want) {
		t.Errorf("endings %v, want %v", endings, want)
	}
}

// TestEarlyCopies judges every connection after every segment of every story: that must not change
// what comes out in the end.
func TestEarlyCopies(t *testing.T) {
	story.Tell(t, "stories", "segments", func(t *testing.T, comment, text string) string {
		var out []*analyze.Connection
		f := NewFollower(storyOptions(t, comment), func(c *analyze.Connection) { out = append(out, c) })
		segments := story.Parse(t, text)
		for i := range segments {
			f.Segment(&segments[i])
			for _, p := range f.table.all(nil) {
				f.catchUp(p)
				fl := f.roster.flows[p]
				connection(&f.judge, fl.Copy(), fl, f.now)
			}
		}
		f.Finish()
		return summarize(out)
	})
}

// Early bounds what is over and remembered, as without it.
func TestEarlyIsBounded(t *testing.T) {
	n := 0
	const most = 16 << 20
	f := NewFollower(analyze.Options{MaxMemory: most}, func(*analyze.Connection) { n++ })
	f.Early(time.Second)
	one := story.Parse(t, closedByFins)
	const many = 100_000
	for i := range many {
		for _, s := range one {
			client := &s.Src
			if s.Src.Port() == 80 {
				client = &s.Dst
			}
			*client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), uint16(40000+i>>16))
			s.Time = s.Time.Add(time.Duration(i) * time.Microsecond)
			f.Segment(&s)
		}
	}
	if got := f.memory(); got > most+most/10 {
		t.Errorf("%d bytes in use, want no more than %d", got, most)
	}
	if f.Finish(); n != many {
		t.Errorf("%d connections handed out, want %d", n, many)
	}
}
