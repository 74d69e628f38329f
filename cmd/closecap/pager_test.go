package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// through writes text to a pager of a screen with 5 rows, and returns what came to the terminal.
func through(t *testing.T, command string, write func(io.Writer) error) (shown string, err error) {
	t.Helper()
	terminal, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	p := &pager{terminal: terminal, command: command, rows: 5}
	wrote := write(p)
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(terminal.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b), wrote
}

func TestPager(t *testing.T) {
	lines := func(n int) func(io.Writer) error {
		return func(w io.Writer) error {
			for range n {
				if _, err := io.WriteString(w, "line\n"); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, tt := range []struct {
		command string
		lines   int
		want    string
	}{
		{"sed s/^/P:/", 4, strings.Repeat("line\n", 4)},
		{"sed s/^/P:/", 5, strings.Repeat("P:line\n", 5)},
		{"sed s/^/P:/", 900, strings.Repeat("P:line\n", 900)},
		{"head -n 2", 9, "line\nline\n"},
		{"exec ./no-such-pager", 9, strings.Repeat("line\n", 9)},
		{"exec ./no-such-pager", 90_000, strings.Repeat("line\n", 90_000)},
	} {
		got, err := through(t, tt.command, lines(tt.lines))
		if err != nil || got != tt.want {
			t.Errorf("%d lines through %s: %.60q, %v, want %.60q", tt.lines, tt.command, got, err, tt.want)
		}
	}
	// A pager that was quit ends the writing.
	big := bytes.Repeat([]byte("line\n"), 1<<20)
	if _, err := through(t, "true", func(w io.Writer) error { _, err := w.Write(big); return err }); !errors.Is(err, errPagerLeft) {
		t.Errorf("writing to a pager that was quit: %v, want %v", err, errPagerLeft)
	}
}

func TestPagerCommand(t *testing.T) {
	for value, want := range map[string]string{"": "", "cat": "", " more ": "more", "less -S": "less -S"} {
		t.Setenv("PAGER", value)
		if got := pagerCommand(); got != want {
			t.Errorf("pagerCommand() with PAGER=%q = %q, want %q", value, got, want)
		}
	}
}
