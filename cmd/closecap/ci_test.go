package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ciFile is a file that doc/ci.md shows, with its name in the first line.
var ciFile = regexp.MustCompile("(?s)```(?:go|python|text|yaml)\n(?:#|//) ([^\n]+)\n(.*?)```")

// TestPageOfCI makes the project that doc/ci.md describes, and runs it: the Go test, the Python test, and
// what the workflow runs.
func TestPageOfCI(t *testing.T) {
	page, err := os.ReadFile("../../doc/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := map[string]string{
		"go.mod": "module echo\n\ngo 1.24\n",
		"run.py": "import pathlib, sys, test_teardown\ntest_teardown.test_teardown(pathlib.Path(sys.argv[1]))\n",
		// A server that closes when its client has, as the rules want it, with a port that nobody serves.
		"integration-test.sh": "python3 -c '\nimport test_teardown\nexec(test_teardown.PROGRAM)\ntry: socket.create_connection((\"127.0.0.1\", 1))\nexcept OSError: pass'\n",
	}
	for _, m := range ciFile.FindAllStringSubmatch(string(page), -1) {
		files[m[1]] = m[2]
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	bin := t.TempDir()
	if err := os.Symlink(build(t), filepath.Join(bin, "closecap")); err != nil {
		t.Fatal(err)
	}
	steps := [][]string{{"go", "test", "-count=1", "./..."}, {"python3", "run.py", t.TempDir()}}
	for _, m := range regexp.MustCompile(`(?m)^ +- run: (closecap .*)$`).FindAllStringSubmatch(files[".github/workflows/teardown.yml"], -1) {
		// A port of this machine may be taken.
		steps = append(steps, []string{"sh", "-c", strings.Replace(m[1], "closecap trace ", "closecap trace --private ", 1)})
	}
	prove := regexp.MustCompile(`(?m)^prove .*$`).FindString(string(page))
	steps = append(steps, []string{"sh", "-c", prove})
	if len(steps) != 5 || prove == "" {
		t.Fatalf("the page has these steps: %q", steps)
	}
	for _, step := range steps {
		if _, err := exec.LookPath(step[0]); err != nil && os.Getenv("CLOSECAP_NO_SKIP") == "" {
			t.Logf("skipped: %v", err)
			continue
		}
		cmd := exec.Command(step[0], step[1:]...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GOFLAGS=-mod=mod", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		skipForbidden(t, string(out))
		if err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(step, " "), err, out)
		}
	}
}
