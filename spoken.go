package closecap

import (
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/words"
	"github.com/closecap/closecap/capture/decode"
)

// TellWords adds to the connections of res, which join.Join made of rec, the last words of their ends, as far as rec
// has its packets.
func TellWords(rec *event.Recording, res *analyze.Result) {
	k, d := words.NewKeeper(), decode.New()
	var s event.Segment
	for i := range rec.Packets {
		if d.Segment(&rec.Packets[i], &s) == decode.TCP {
			k.Segment(&s, d.Payload())
		}
	}
	tell(k, res, false)
}

// tell takes from k what was said on the connections of res.
func tell(k *words.Keeper, res *analyze.Result, raw bool) {
	for _, c := range res.Connections {
		h := k.Take(c.Client, c.Server, c.LastFrame)
		h.Tell(c, raw)
		k.GiveBack(h)
	}
}
