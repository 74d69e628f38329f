package main

import (
	"runtime/debug"
	"sync/atomic"
)

// The garbage collector's setting where next to nothing becomes garbage. While calls are joined, nearly all is
// kept: a million take 0.95 GB with it, 1.5 GB without, for 5 to 8 % more CPU time. Where connections are
// written and forgotten, nearly all is used again: a capture of 1.6 GB takes 74 MB with it and 104 without, and
// 3 % less CPU time.
const collectAt = 20

// ballast is never touched, so it takes no memory, but the collector counts it: until a heap has its size, one
// collection would follow the other: 17 instead of 6 for 100,000 connections, a third of all instructions.
var ballast atomic.Pointer[[64 << 20]byte]

// collectEarly lets the garbage collector work as often as suits a program that keeps nearly all, or nearly nothing.
func collectEarly() {
	debug.SetGCPercent(collectAt)
	ballast.Store(new([64 << 20]byte))
}
