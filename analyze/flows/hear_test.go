package flows

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
	"github.com/closecap/closecap/analyze/words"
)

// speeches is what the ends of random connections say.
var speeches = []string{
	"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nnot all of it", "*1\r\n$4\r\nPING\r\n", "-ERR max number of clients reached\r\n",
	"\x15\x03\x03\x00\x02\x02\x28", "\x0a\x00\x00\x00\x0a5.7\x00", "220 here\r\n", "a line of text\n", "\x01\x80\x01", "\xff\xfe\x00\x01\x80", "\x80\n", "E",
}

// spoken is a segment with its payload, as far as it was captured.
type spoken struct {
	event.Segment
	payload string
}

// converse makes a connection that says some of speeches, some of it out of order, twice, cut or not captured.
func converse(r *rand.Rand, client, server netip.AddrPort) (all []spoken) {
	seq := [2]seqnum.Value{seqnum.Value(r.Uint32()), seqnum.Value(r.Uint32())}
	say := func(e int, flags event.Flags, text string) {
		s := spoken{event.Segment{Src: client, Dst: server, Seq: seq[e], Ack: seq[1-e], Flags: flags, Window: 500, Len: uint32(len(text))}, text}
		if e == 1 {
			s.Src, s.Dst = server, client
		}
		if seq[e] = seq[e].Add(s.Len); flags&(event.SYN|event.FIN) != 0 {
			seq[e] = seq[e].Add(1)
		}
		if r.IntN(10) == 0 {
			s.payload = text[:len(text)/2]
		}
		all = append(all, s)
	}
	say(0, event.SYN, "")
	say(1, event.SYN|event.ACK, "")
	one := speeches[r.IntN(len(speeches))]
	if r.IntN(4) == 0 {
		e := r.IntN(2)
		say(e, event.ACK, one)
		say(e, event.ACK, speeches[r.IntN(len(speeches))])
		all[2], all[3] = all[3], all[2]
	}
	for range r.IntN(50) {
		if r.IntN(2) == 0 {
			one = speeches[r.IntN(len(speeches))]
		}
		say(r.IntN(2), event.ACK, one)
	}
	first := r.IntN(2)
	say(first, event.ACK|event.FIN, "")
	say(1-first, []event.Flags{event.ACK | event.FIN, event.ACK | event.RST}[r.IntN(2)], "")
	for range r.IntN(3) {
		switch i := r.IntN(1 + r.IntN(min(len(all)-1, 1<<r.IntN(6)))); r.IntN(3) {
		case 0:
			all[i], all[i+1] = all[i+1], all[i]
		case 1:
			all = append(all[:i], all[i+1:]...)
		default:
			all = append(all[:i+1], all[i:]...)
		}
	}
	return all
}

// mingled makes a batch of connections that go on at the same time.
func mingled(r *rand.Rand) (batch []event.Segment, payload []byte, ends []int) {
	talks := make([][]spoken, 20)
	for i := range talks {
		client, server := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), uint16(1000+i)), netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 2}), 80)
		if r.IntN(2) == 0 {
			client, server = server, client
		}
		talks[i] = converse(r, client, server)
	}
	for len(talks) > 0 {
		i := r.IntN(len(talks))
		s := talks[i][0]
		if talks[i] = talks[i][1:]; len(talks[i]) == 0 {
			talks = slices.Delete(talks, i, i+1)
		}
		s.Frame = uint64(len(batch) + 1)
		s.Time = event.Time(s.Frame) * 1e6
		if len(s.payload) == int(s.Len) && s.Len > 0 {
			s.Options.Speech = words.Speech([]byte(s.payload))
		}
		batch, payload = append(batch, s.Segment), append(payload, s.payload...)
		ends = append(ends, len(payload))
	}
	return batch, payload, ends
}

// toldAtOnce returns the last words of a batch where each segment is heard when it comes, by first frame.
func toldAtOnce(batch []event.Segment, payload []byte, ends []int) map[uint64]*analyze.LastWords {
	k, told := words.NewKeeper(), map[uint64]*analyze.LastWords{}
	p := speech{all: payload, ends: ends}
	for i := range batch {
		p.at = i
		k.Segment(&batch[i], p.payload())
	}
	f := NewFollower(analyze.Options{}, func(c *analyze.Connection) {
		k.Take(c.Client, c.Server, c.LastFrame).Tell(c, words.Telling{Raw: true})
		told[c.FirstFrame] = c.LastWords
	})
	f.Segments(batch)
	f.Finish()
	return told
}

// TestHearingLater holds that what is heard with what waits to be followed tells the same as what is heard at once.
func TestHearingLater(t *testing.T) {
	told, mixed := 0, 0
	for seed := range uint64(400) {
		batch, payload, ends := mingled(rand.New(rand.NewPCG(seed, 0)))
		atOnce := toldAtOnce(batch, payload, ends)
		var f *Follower
		f = NewFollower(analyze.Options{}, func(c *analyze.Connection) {
			f.Heard().Tell(c, words.Telling{Raw: true})
			want := atOnce[c.FirstFrame]
			switch diff := cmp.Diff(want, c.LastWords); {
			case want == nil && c.LastWords != nil: // at once it was not told from another one on the same ports
				mixed++
			case diff != "":
				t.Fatalf("seed %d, %v > %v (- at once, + later):\n%s", seed, c.Client, c.Server, diff)
			case want != nil:
				told++
			}
		})
		said := f.Hear()
		f.Spoken(batch, payload, ends)
		if f.Finish(); said.Open() != 0 {
			t.Errorf("seed %d: what was said on %d connections is kept", seed, said.Open())
		}
	}
	if told < 1000 || mixed > told/50 {
		t.Errorf("%d connections have last words, %d only later", told, mixed)
	}
}
