package flows

import "testing"

func TestGoneRemembersTheNewestOfASet(t *testing.T) {
	var g recentlyClosed
	var keys []key // of one set
	for n := uint64(0); len(keys) <= len(closedSet{}); n++ {
		k := key{loLo: n, ports: 443}
		if k.hash(0)%closedSets == (&key{ports: 443}).hash(0)%closedSets {
			keys = append(keys, k)
		}
	}
	for i := range keys {
		if g.has(&keys[i]) {
			t.Errorf("key %d is there before it was added", i)
		}
		g.add(&keys[i])
	}
	for i := range keys {
		if got, want := g.has(&keys[i]), i > 0; got != want {
			t.Errorf("has(key %d of %d) = %v, want %v", i, len(keys), got, want)
		}
	}
}
