package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onTerminal runs the program on a terminal of 160 columns and returns what it shows there.
func onTerminal(t *testing.T, env []string, args ...string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 160})
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(build(t), append([]string{"--no-pager"}, args...)...)
	cmd.Env = append(append(os.Environ(), "NO_COLOR=1", "TERM=xterm"), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	err = cmd.Start()
	terminal.Close()
	if err != nil {
		t.Fatal(err)
	}
	shown := make(chan string)
	go func() {
		b, _ := io.ReadAll(master) // EIO, when nobody has the terminal any more
		shown <- string(b)
	}()
	watchdog := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer watchdog.Stop()
	err = cmd.Wait()
	text := strings.ReplaceAll(<-shown, "\r\n", "\n")
	if err != nil {
		skipForbidden(t, text)
		t.Fatalf("%v\n%s", err, text)
	}
	return text
}

// TestLocalTime tells times of day in the zone of whoever sits at the terminal, and names it. In a pipe
// they are UTC, so that what is kept means the same everywhere.
func TestLocalTime(t *testing.T) {
	const zone = "Asia/Kolkata" // no other one is half an hour beside UTC, and nothing changes it
	if _, err := time.LoadLocation(zone); err != nil {
		t.Skip(err)
	}
	env := []string{"TZ=" + zone}
	files, err := filepath.Glob("../../pcaps/*.pcapng")
	if err != nil || len(files) < 20 {
		t.Fatalf("recordings: %q, %v", files, err)
	}
	one, many := []string{"analyze", "../../pcaps/time-wait.pcapng"}, append([]string{"analyze"}, files...)
	for _, tt := range []struct {
		args        []string
		local, pipe string
	}{
		{one, "IST", "UTC"},
		{many, "start (IST)", "start (UTC)"},
	} {
		if got := onTerminal(t, env, tt.args...); !strings.Contains(got, tt.local) || strings.Contains(got, "UTC") {
			t.Errorf("%.60q on a terminal: no %s, or UTC, in\n%s", tt.args, tt.local, got)
		}
		cmd := exec.Command(build(t), tt.args...)
		cmd.Env = append(os.Environ(), env...)
		if got, err := cmd.Output(); err != nil || !strings.Contains(string(got), tt.pipe) || strings.Contains(string(got), "IST") {
			t.Errorf("%.60q in a pipe: %v, no %s, or IST, in\n%s", tt.args, err, tt.pipe, got)
		}
	}
}

// TestTraceHeader names the traced command in the table's first line, its words quoted where a shell's are.
func TestTraceHeader(t *testing.T) {
	got := onTerminal(t, nil, "trace", "--private", "--", "sh", "-c", "exit 0")
	if !strings.Contains(got, "sh -c 'exit 0'") {
		t.Errorf("the command is not in\n%s", got)
	}
}
