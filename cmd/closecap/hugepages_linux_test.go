package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// TestHugePages holds that what is allocated after hugePages stands in memory for which the kernel was asked for them.
func TestHugePages(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("the kernel has no huge pages")
	}
	hugePages()
	b := make([]byte, 8<<20)
	at := uintptr(unsafe.Pointer(&b[len(b)/2]))
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(maps)) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			inside = from <= at && at < to
		}
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
			if !strings.Contains(flags, " hg") {
				t.Errorf("the kernel was not asked for huge pages of what was allocated: its flags are%s", flags)
			}
			runtime.KeepAlive(b)
			return
		}
	}
	t.Errorf("no mapping holds %#x", at)
}
