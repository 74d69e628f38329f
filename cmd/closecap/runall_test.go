package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRunAllEndsWhole interrupts a run of all scenarios: it ends at once, and no process of it
// is left.
func TestRunAllEndsWhole(t *testing.T) {
	if _, err := os.Stat("/proc/self/exe"); err != nil {
		t.Skip(err)
	}
	bin := build(t)
	const atLeast = 4 // the program, one that runs a scenario, and two actors
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := exec.Command(bin, "run", "--all")
		var out, msg bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &msg
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		deadline := time.After(20 * time.Second)
		for len(processesOf(t, bin)) < atLeast {
			select {
			case err := <-ended:
				skipForbidden(t, msg.String()+out.String())
				t.Fatalf("closecap run --all ended early: %v\n%s", err, msg.String())
			case <-deadline:
				t.Fatal("closecap run --all starts nothing")
			default:
			}
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err == nil {
				t.Errorf("%v: closecap run --all = success, want an error", sig)
			}
		case <-deadline:
			t.Fatalf("%v: closecap run --all goes on", sig)
		}
		if left := processesOf(t, bin); len(left) > 0 {
			t.Errorf("%v: processes %v are left", sig, left)
		}
		if got := msg.String(); !strings.Contains(got, "run --all: ") {
			t.Errorf("%v: message %q", sig, got)
		}
	}
}

// processesOf lists the processes that run the program bin, those that are over left out.
func processesOf(t *testing.T, bin string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, link := range links {
		if exe, err := os.Readlink(link); err == nil && exe == bin {
			found = append(found, filepath.Base(filepath.Dir(link)))
		}
	}
	return found
}
