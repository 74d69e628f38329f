package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	readmeSession = regexp.MustCompile("(?s)```console\n\\$ closecap ([^\n]+)\n```\n\n```text\n(.*?)```")
	number        = regexp.MustCompile(`[0-9][0-9.,:]*`)
	// What the kernel counted is evidence only in a network namespace of one's own, its reason where it may be asked.
	counted = regexp.MustCompile(`\s+The\s+kernel\s+says\s+so\.|;\s+the\s+kernel(?:'s)?\s+(?:counted\s+\w+\s+\+\d+\s+over\s+#\d+|reason\s+is\s+\w+)`)
	drawn   = regexp.MustCompile(`[─│┌┬┐├┼┤└┴┘|+]+|-{2,}`)
)

// TestReadmeSessions runs the commands of the README and compares what they print with what
// it shows: word by word, because widths and line breaks follow the numbers.
func TestReadmeSessions(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	sessions := readmeSession.FindAllSubmatch(readme, -1)
	if len(sessions) == 0 {
		t.Fatal("README.md shows no session")
	}
	bin := build(t)
	for _, s := range sessions {
		args := strings.Fields(string(s[1]))
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			if args[0] == "run" { // what the kernel says, too, is not everybody's
				args = append(args, "--evidence", byCalls)
			}
			cmd := exec.Command(bin, args...)
			// The README's are of 100 columns; times of a busy machine need more for the same layout.
			cmd.Env = append(os.Environ(), "COLUMNS=112")
			var out, msg bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &msg
			if err := cmd.Run(); err != nil {
				skipForbidden(t, msg.String())
				t.Fatalf("closecap %s: %v\n%s", s[1], err, msg.String())
			}
			if diff := cmp.Diff(vocabulary(string(s[2])), vocabulary(out.String())); diff != "" {
				t.Errorf("closecap %s (-README +printed):\n%s", s[1], diff)
			}
		})
	}
}

// vocabulary returns the different words of a report in order, numbers and drawing aside.
// Where it ran differs from machine to machine.
func vocabulary(report string) []string {
	_, report, _ = strings.Cut(report, "\n")
	report = counted.ReplaceAllString(report, "")
	report = strings.NewReplacer("→", "->", "←", "<-", "—", "-").Replace(report)
	report = drawn.ReplaceAllString(number.ReplaceAllString(report, "N"), " ")
	words := strings.Fields(report)
	slices.Sort(words)
	return slices.Compact(words)
}
