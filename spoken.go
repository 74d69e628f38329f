package closecap

import (
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/words"
	"github.com/closecap/closecap/capture/decode"
	"github.com/closecap/closecap/capture/intake"
)

// TellWords adds to the connections of res, which join.Join made of rec, the last words of their ends, as far as rec
// has its packets.
func TellWords(rec *event.Recording, res *analyze.Result) {
	k, d := words.NewKeeper(), decode.New()
	legs := k.Ties()
	var s event.Segment
	for i := range rec.Packets {
		if d.Segment(&rec.Packets[i], &s) == decode.TCP {
			k.Segment(&s, d.Payload())
		}
	}
	tell(k, legs, res, false)
}

// hear keeps what is said in a batch.
func hear(k *words.Keeper, b *intake.Batch) {
	from := 0
	for i := range b.Segments {
		k.Segment(&b.Segments[i], b.Payload[from:b.Ends[i]])
		from = b.Ends[i]
	}
}

// tell takes from k what was said on the connections of res, and ties those of relays.
func tell(k *words.Keeper, legs *words.Legs, res *analyze.Result, raw bool) {
	calls := res.CallsByConnection()
	for _, c := range res.Connections {
		h := k.Take(c.Client, c.Server, c.LastFrame)
		h.Tell(c, words.Telling{Raw: raw, Calls: calls[c.ID]})
		legs.Add(h, c)
		k.GiveBack(h)
	}
	legs.TieTold(res)
	legs.Tie(res.Connections)
}
