// Package lab runs scenarios: scripts whose lines are real system calls of real processes,
// recorded together with their packets and with the kernel's view of both ends.
//
// It judges nothing: what a script expects is parsed here and evaluated by package analyze.
package lab
