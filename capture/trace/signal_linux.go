//go:build amd64 || arm64

package trace

import (
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// waitingSignal names the signal that a thread is about to get, as /proc says: what its call waited for, the call
// waits no longer. "" where there is none.
func waitingSignal(tid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return ""
	}
	var pending, blocked uint64
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		set, _ := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		switch key {
		case "SigPnd", "ShdPnd":
			pending |= set
		case "SigBlk":
			blocked = set
		}
	}
	return FirstSignal(pending &^ blocked)
}

// FirstSignal names the lowest signal of a set as the kernel has it, bit 0 for signal 1: "" where there is none.
func FirstSignal(set uint64) string {
	if set == 0 {
		return ""
	}
	n := bits.TrailingZeros64(set) + 1
	if name := unix.SignalName(unix.Signal(n)); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", n)
}
