package words_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/words"
)

// step is a segment of one of the connections of a session of FTP, a millisecond after the one before.
type step struct {
	conn   int // 0 is the control connection
	server bool
	text   string
	flags  event.Flags // besides ACK
	unseen bool        // it was not captured
	late   bool        // it acknowledges nothing of what the other end sent last
	after  time.Duration
}

// session has steps follow each other on connections, of which each opens with its first, and returns what is said of the
// one with an index.
func session(conns [][2]string, steps []step, of int) (*analyze.Transfer, string) {
	k := words.NewKeeper()
	next, last := map[[2]int]uint32{}, map[[2]int]uint32{}
	now, frame, closed := event.Time(1e9), uint64(0), event.Time(0)
	address := func(conn, end int) netip.AddrPort { return netip.MustParseAddrPort(conns[conn][end]) }
	put := func(s step, flags event.Flags) {
		end := 0
		if s.server {
			end = 1
		}
		from, to := [2]int{s.conn, end}, [2]int{s.conn, 1 - end}
		seg := event.Segment{Src: address(s.conn, end), Dst: address(s.conn, 1-end), Flags: flags, Len: uint32(len(s.text))}
		seg.Seq, seg.Ack = seg.Seq.Add(next[from]), seg.Ack.Add(next[to])
		if s.late {
			seg.Ack = seg.Ack.Add(-last[to])
		}
		last[from] = seg.Len
		if flags&(event.SYN|event.FIN) != 0 {
			last[from]++
		}
		next[from] += last[from]
		now = now.Add(time.Millisecond + s.after)
		if flags.Has(event.FIN) && s.conn == of && closed == 0 {
			closed = now
		}
		if !s.unseen {
			frame++
			seg.Frame, seg.Time = frame, now
			k.Segment(&seg, []byte(s.text))
		}
	}
	opened := map[int]bool{}
	for _, s := range steps {
		if !opened[s.conn] {
			opened[s.conn] = true
			put(step{conn: s.conn}, event.SYN)
			put(step{conn: s.conn, server: true}, event.SYN|event.ACK)
		}
		if s.text != "" || s.flags != 0 {
			put(s, s.flags|event.ACK)
		}
	}
	c := &analyze.Connection{Client: address(of, 0), Server: address(of, 1), Ending: analyze.Graceful}
	c.Segments = []*analyze.Segment{{Flags: event.FIN, Time: closed}}
	k.Take(c.Client, c.Server, 1<<62).Tell(c, words.Telling{})
	if c.LastWords == nil {
		return c.Transfer, ""
	}
	return c.Transfer, c.LastWords.Reason
}

// TestTransfers holds which connection carried a transfer of FTP, and what is said of it: nothing, where the next reply
// may be to something else, or where what the ends said was not all captured.
func TestTransfers(t *testing.T) {
	say := func(text string) step { return step{text: text + "\r\n"} }
	reply := func(text string) step { return step{server: true, text: text + "\r\n"} }
	greet := []step{reply("220 FTP"), say("USER me"), reply("230 in")}
	const control, server = "10.0.0.1:40000", "10.0.0.2:21"
	named, open, file, end := []step{say("PASV"), reply("227 Passive (10,0,0,2,200,1).")}, step{conn: 1}, step{conn: 1, text: "a file"}, step{conn: 1, flags: event.FIN}
	carry := []step{open, say("STOR a"), reply("150 go on"), file, end}
	done, quit, gone := reply("226 all of it"), say("QUIT"), step{flags: event.FIN}
	join := func(parts ...[]step) (all []step) {
		for _, p := range append([][]step{greet}, parts...) {
			all = append(all, p...)
		}
		return all
	}
	to := func(client, server string) [2]string { return [2]string{client, server} }
	passive := to("10.0.0.1:41000", "10.0.0.2:51201")
	late := func(s step) step { s.late = true; return s }
	unseen := func(s step) step { s.unseen = true; return s }
	after := func(s step) step { s.after = time.Second; return s }
	const no = "not tied"
	for name, tt := range map[string]struct {
		data  [2]string
		steps []step
		want  string
	}{
		"whole":                         {passive, join(named, carry, []step{done, quit}), "FTP STOR, complete: 226 all of it (frame 14)"},
		"the host of another network":   {passive, join([]step{say("PASV"), reply("227 (192,168,0,9,200,1)")}, carry, []step{done}), "FTP STOR, complete: 226 all of it (frame 14)"},
		"to the host that was named":    {to("10.0.0.1:41000", "192.168.0.9:51201"), join([]step{say("PASV"), reply("227 (192,168,0,9,200,1)")}, carry, []step{done}), "FTP STOR, complete: 226 all of it (frame 14)"},
		"to another host":               {to("10.0.0.1:41000", "10.0.0.3:51201"), join(named, carry, []step{done}), no},
		"from another host":             {to("10.0.0.9:41000", "10.0.0.2:51201"), join(named, carry, []step{done}), no},
		"to another port":               {to("10.0.0.1:41000", "10.0.0.2:51202"), join(named, carry, []step{done}), no},
		"opened before":                 {passive, join([]step{open}, named, carry, []step{done}), no},
		"active":                        {to("10.0.0.2:20", "10.0.0.1:51201"), join([]step{say("EPRT |1|10.0.0.1|51201|"), reply("200 ok")}, carry, []step{done}), "FTP STOR, complete: 226 all of it (frame 14)"},
		"active, from another host":     {to("10.0.0.3:20", "10.0.0.1:51201"), join([]step{say("PORT 10,0,0,1,200,1"), reply("200 ok")}, carry, []step{done}), no},
		"the reply to PORT still to be": {to("10.0.0.2:20", "10.0.0.1:51201"), join([]step{say("PORT 10,0,0,1,200,1"), say("STOR a"), open, reply("200 ok"), reply("226 all")}), ""},
		"no reply yet":                  {passive, join(named, carry), ""},
		"asked meanwhile":               {passive, join(named, carry, []step{say("NOOP"), reply("450 busy")}), ""},
		"QUIT meanwhile":                {passive, join(named, carry, []step{quit, reply("450 busy")}), ""},
		"QUIT before 226":               {passive, join(named, carry, []step{quit, done, gone}), "FTP STOR, complete: 226 all of it (frame 15)"},
		"a reply to something else":     {passive, join(named, carry, []step{reply("200 fine")}), ""},
		"gone before 226":               {passive, join(named, carry, []step{gone, done}), "FTP STOR, not known to be whole: 226 all of it (frame 15) says only that the server saw the FIN, and its client closed the control connection (frame 14) without a word on it"},
		"gone when 226 was on its way":  {passive, join(named, carry, []step{done, late(gone)}), "FTP STOR, not known to be whole: 226 all of it (frame 14) says only that the server saw the FIN, and its client closed the control connection (frame 15) without a word on it"},
		"gone at once":                  {passive, join(named, carry, []step{done, gone}), "FTP STOR, not known to be whole: 226 all of it (frame 14) says only that the server saw the FIN, and its client closed the control connection (frame 15) without a word on it"},
		"gone later":                    {passive, join(named, carry, []step{done, after(gone)}), "FTP STOR, complete: 226 all of it (frame 14)"},
		"gone, and no reply yet":        {passive, join(named, carry, []step{gone}), ""},
		"gone without any reply":        {passive, join(named, carry, []step{gone, {server: true, flags: event.FIN}}), "FTP STOR, not known to be whole: no final reply came, its client ended the control connection (frame 14)"},
		"the reply was not captured":    {passive, join(named, carry, []step{unseen(done), gone}), ""},
		"its end was not captured":      {passive, join(named, carry, []step{unseen(gone), done}), ""},
		"aborted":                       {passive, join(named, carry, []step{{text: "\xff\xf4\xff\xf2ABOR\r\n"}, done}), "FTP STOR, not known to be whole: 226 all of it (frame 15) came after its client's ABOR (frame 14)"},
		"cut":                           {passive, join(named, carry, []step{reply("426 no")}), "FTP STOR was cut: 426 no (frame 14)"},
		"refused":                       {passive, join(named, []step{open, say("STOR a"), reply("553 no"), end}), "FTP STOR was refused: 553 no (frame 11)"},
		"a file that looks like HTTP":   {passive, join(named, []step{open, say("STOR a"), reply("150"), {conn: 1, text: "GET / HTTP/1.1\r\n\r\n"}, end, done}), "FTP STOR, complete: 226 all of it (frame 14)"},
	} {
		told, why := session([][2]string{to(control, server), tt.data}, tt.steps, 1)
		if told == nil {
			why = no
		}
		if why != tt.want || told != nil && (told.Client.String() != control || told.Server.String() != server || told.Confidence != analyze.Inferred) {
			t.Errorf("%s: %+v\n%q, want\n%q", name, told, why, tt.want)
		}
	}
	if told, _ := session([][2]string{to(control, server), passive, to("10.0.0.1:41001", passive[1])}, join(named, carry, []step{{conn: 2, text: "more"}, done}), 2); told != nil {
		t.Errorf("a second connection to the port: %+v", told)
	}
}

// outcomes are what is said of the transfers in packets, by connection.
func outcomes(packets []packet) map[event.Pair]analyze.TransferOutcome {
	k, clients := words.NewKeeper(), map[event.Pair]event.Segment{}
	for i := range packets {
		s := &packets[i].Segment
		k.Segment(s, packets[i].payload)
		if p := event.PairOf(s.Src, s.Dst); clients[p].Frame == 0 {
			clients[p] = *s
		}
	}
	said := map[event.Pair]analyze.TransferOutcome{}
	for p, s := range clients {
		c := &analyze.Connection{Client: s.Src, Server: s.Dst, Ending: analyze.Graceful}
		if k.Take(c.Client, c.Server, 1<<62).Tell(c, words.Telling{}); c.Transfer != nil && c.Transfer.Outcome != "" {
			said[p] = c.Transfer.Outcome
		}
	}
	return said
}

// TestThinTransfers holds that a capture which lacks packets says of a transfer what the whole one says, or nothing.
func TestThinTransfers(t *testing.T) {
	all := read(t, "testdata/server-ftp-transfers.pcap")
	whole, said := outcomes(all), 0
	hold := func(how string, thin []packet) {
		for p, o := range outcomes(thin) {
			if said++; o != whole[p] {
				t.Errorf("%s: %v is %s, and %q of the whole capture", how, p, o, whole[p])
			}
		}
	}
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 0))
		hold(fmt.Sprintf("seed %d", seed), slices.DeleteFunc(slices.Clone(all), func(packet) bool { return r.IntN(20) == 0 }))
	}
	for n := 0; n < len(all); n += 20 {
		hold(fmt.Sprintf("cut at %d", n), all[:n])
		hold(fmt.Sprintf("from %d", n), all[n:])
	}
	if least := 20 * len(whole); len(whole) < 30 || said < least {
		t.Errorf("%d transfers, and of thin captures %d were told, want %d", len(whole), said, least)
	}
}
