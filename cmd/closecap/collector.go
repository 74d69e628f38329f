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
	// untouched is what the heap grows to before it is collected at all.
	untouched = 50 << 20
)

// collectEarly lets the garbage collector work as often as suits a program that keeps nearly all, or nearly nothing.
var collectEarly = sync.OnceFunc(func() {
	live, looked := heap()
	debug.SetGCPercent(int(100 * (untouched - min(live, untouched)) / max(live+looked, 1)))
	afterCollection(func() {
		live, _ := heap()
		debug.SetGCPercent(int(max(collectAt, 100*room/max(live, 1))))
	})
})

// growFor has the heap grow as suits what nearly nothing is kept of: the connections of files of that size together.
func growFor(size int64) {
	if size < 0 || size >= hugeFrom {
		hugePages()
	}
	collectEarly()
}

// heap returns how much of the heap the last collection has kept, and at how many bytes besides each looks: a
// percentage is one of both.
func heap() (live, looked uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64()
}

// afterCollection calls do after each collection.
func afterCollection(do func()) {
	runtime.AddCleanup(new([64]byte), func(do func()) {
		do()
		afterCollection(do)
	}, do)
}
