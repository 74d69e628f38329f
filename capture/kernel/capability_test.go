//go:build linux

package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// powerless is a role of this test: it drops its capabilities with several threads alive and
// reports every thread's.
func powerless() int {
	stop := make(chan struct{})
	for range 4 {
		go func() { <-stop }()
	}
	if err := exec.Command("true").Run(); err != nil { // starts threads
		fmt.Println(err)
	}
	if err := DropCapabilities(); err != nil {
		fmt.Println(err)
		return 1
	}
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(files) == 0 {
		return 1
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return 1
		}
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "CapEff") || strings.HasPrefix(line, "CapPrm") {
				fmt.Print(line)
			}
		}
	}
	close(stop)
	return 0
}

func TestDropCapabilities(t *testing.T) {
	out, err := as(os.Getuid(), "powerless").Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < 4 {
		t.Errorf("%d lines, want two for each of several threads", len(lines))
	}
	for _, line := range lines {
		if !strings.HasSuffix(line, "\t0000000000000000") {
			t.Errorf("a thread keeps %q", line)
		}
	}
}
