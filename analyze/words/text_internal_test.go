package words

import (
	"math/rand/v2"
	"testing"
)

// TestMayBeText holds the quick look at the last bytes to the slow one.
func TestMayBeText(t *testing.T) {
	some := []byte("ab \t\r\n\x00\x01\x1f\x7f\x80\xff ~")
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[bool]int{}
	for range 200_000 {
		b := make([]byte, r.IntN(140))
		n := 1 + r.IntN(len(some))
		for i := range b {
			if b[i] = some[r.IntN(n)]; r.IntN(6) > 0 {
				b[i] = 'x'
			}
		}
		_, want := lastLine(b[max(0, len(b)-64):])
		if got := MayBeText(b); got != want {
			t.Fatalf("MayBeText(%q) = %v, want %v", b, got, want)
		}
		seen[want]++
	}
	if seen[true] < 1000 || seen[false] < 1000 {
		t.Errorf("too few of one kind: %v", seen)
	}
}
