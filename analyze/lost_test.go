package analyze

import "testing"

func TestLostBytes(t *testing.T) {
	own := &Lost{Unacked: 1, Missing: 2, From: Server}
	reset := &Reset{Lost: Lost{Unacked: 10, Unread: 20, AfterClose: 40, Missing: 80, From: Client}}
	for _, test := range []struct {
		c    Connection
		want Lost
		sum  uint64
	}{
		{Connection{}, Lost{}, 0},
		{Connection{Lost: own}, Lost{Unacked: 1, Missing: 2}, 1},
		{Connection{Reset: reset}, Lost{Unacked: 10, Unread: 20, AfterClose: 40, Missing: 80}, 70},
		{Connection{Lost: own, Reset: reset}, Lost{Unacked: 11, Unread: 20, AfterClose: 40, Missing: 82}, 71},
	} {
		got := test.c.LostBytes()
		if got != test.want || got.Sum() != test.sum {
			t.Errorf("LostBytes() of %+v and %+v = %+v, sum %d, want %+v, sum %d",
				test.c.Lost, test.c.Reset, got, got.Sum(), test.want, test.sum)
		}
	}
	if own.From != Server {
		t.Error("LostBytes() changed the connection")
	}
}
