package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// How the garbage collector is set where next to nothing becomes garbage. While calls are joined, nearly all is
// kept, and where connections are written and forgotten, nearly all is used again: so a large heap is let grow by
// a fifth, which saves a third of the memory for 5 to 8 % more CPU time where all is kept. A small one is let grow
// by room: a collection looks at 5 MB of the program's own data besides, and one would follow the other. For 10,000
// connections there were four, 18 % of the CPU time, and are none.
const (
	collectAt = 20
	room      = 16 << 20
	// untouched is the percentage by which the heap reaches 50 MB before it is collected at all.
	untouched = 900
)

// collectEarly lets the garbage collector work as often as suits a program that keeps nearly all, or nearly nothing.
var collectEarly = sync.OnceFunc(func() {
	debug.SetGCPercent(untouched)
	afterCollection(func() {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		debug.SetGCPercent(int(max(collectAt, 100*room/max(live[0].Value.Uint64(), 1))))
	})
})

// afterCollection calls do after each collection.
func afterCollection(do func()) {
	runtime.AddCleanup(new([64]byte), func(do func()) {
		do()
		afterCollection(do)
	}, do)
}
