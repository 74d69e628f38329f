package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	tutorialFile   = regexp.MustCompile("(?s)\n`([a-z]+\\.py)`:\n\n```python\n(.*?)```")
	tutorialOutput = regexp.MustCompile("(?s)```text\n(.*?)```")
	rowSpace       = regexp.MustCompile(` *(pythonN\[N\])? +`) // whose row it is differs with who runs when
	lengthOfTime   = regexp.MustCompile(`N (µs|ms|s)\b`)
)

// TestTutorial does the tutorial's experiment: each line that it shows is one that is printed, numbers aside.
func TestTutorial(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CLOSECAP_NO_SKIP") == "1" {
			t.Fatal("no python3 here")
		}
		t.Skip("no python3 here, the tutorial is not tried")
	}
	text, err := os.ReadFile("../../doc/tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := tutorialFile.FindAllSubmatch(text, -1)
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, string(f[1])), f[2], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sessions := strings.Split(string(text), "```console\n$ closecap ")[1:]
	if len(files) != 3 || len(sessions) != 2 {
		t.Fatalf("%d programs and %d sessions in the tutorial", len(files), len(sessions))
	}
	bin := build(t)
	for _, s := range sessions {
		command, rest, _ := strings.Cut(s, "\n")
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			// A reader waits a second for the server; here the kernel says when it listens on port 5001.
			script := strings.Replace(command, "sleep 1", "while ! grep -q :1389 /proc/net/tcp; do sleep 0.1; done", 1)
			cmd := exec.Command("sh", "-c", bin+" "+script)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "COLUMNS=100")
			var out, msg bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &msg
			if err := cmd.Run(); err != nil {
				skipForbidden(t, msg.String())
				t.Fatalf("closecap %s: %v\n%s", command, err, msg.String())
			}
			got := sentences(out.String())
			for _, shown := range tutorialOutput.FindAllStringSubmatch(rest, -1) {
				for _, want := range sentences(shown[1]) {
					// Root's run goes on with what the kernel says.
					begins := func(s string) bool { return strings.HasPrefix(s, strings.TrimSuffix(want, ".")) }
					if !slices.ContainsFunc(got, begins) {
						t.Errorf("closecap %s prints no %q:\n%s", command, want, out.String())
					}
				}
			}
		})
	}
}

// asPlain writes a terminal's signs as a pipe has them.
var asPlain = strings.NewReplacer("│", "|", "├", "+", "→", "->", "←", "<-", "—", "-")

// sentences are the lines of a report before they were wrapped, numbers aside.
func sentences(report string) []string {
	var all []string
	for l := range strings.Lines(report) {
		l = strings.TrimSuffix(asPlain.Replace(l), "\n")
		indent := len(l) - len(strings.TrimLeft(l, " "))
		l = strings.TrimSpace(lengthOfTime.ReplaceAllString(number.ReplaceAllString(l, "N"), "N s"))
		if strings.HasPrefix(l, "|") {
			l = rowSpace.ReplaceAllString(l, " ")
		}
		if strings.HasPrefix(l, "+") {
			continue
		}
		// What wraps is indented by two more than its sentence, which is at 0 or at 2.
		if n := len(all); n > 0 && (indent == 4 || indent == 2 && strings.HasPrefix(all[n-1], "reset: ") && !strings.HasSuffix(all[n-1], ".")) {
			all[n-1] += " " + l
			continue
		}
		all = append(all, l)
	}
	return all
}
