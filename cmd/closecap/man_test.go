package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "rewrite the man pages, record the scenarios' kernel events anew")

const manDir = "../../doc/man"

// TestManPages holds the man pages to the commands: -update writes them. They are committed, so
// that installing needs no second build, and a change of a flag shows in its diff. Instead of
// cobra/doc: that takes plain text for Markdown, writes --all[=false] and has no exit status.
func TestManPages(t *testing.T) {
	root := newRoot(streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	root.InitDefaultHelpFlag()
	root.InitDefaultVersionFlag()
	pages := map[string]string{}
	for _, cmd := range append([]*cobra.Command{root}, root.Commands()...) {
		if cmd == root || cmd.IsAvailableCommand() {
			cmd.InitDefaultHelpFlag()
			pages[manName(cmd)+".1"] = manPage(cmd)
		}
	}
	if *update {
		if err := os.RemoveAll(manDir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(manDir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range pages {
		path := filepath.Join(manDir, name)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not what the command says (%v): make man", path, err)
		}
	}
	files, err := os.ReadDir(manDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if pages[f.Name()] == "" {
			t.Errorf("%s/%s is of no command: make man", manDir, f.Name())
		}
	}
}

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage returns the page of a command in man(7)'s macros.
func manPage(cmd *cobra.Command) string {
	var b strings.Builder
	section := func(name string) { fmt.Fprintf(&b, ".SH %s\n", name) }
	fmt.Fprintf(&b, ".TH %s 1 \"\" closecap \"User commands\"\n", strings.ToUpper(manName(cmd)))
	section("NAME")
	fmt.Fprintf(&b, "%s \\- %s\n", roff(manName(cmd)), roff(cmd.Short))
	section("SYNOPSIS")
	name, args := cmd.CommandPath(), strings.TrimPrefix(strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath()), " ")
	args = strings.ReplaceAll(args, "[flags]", "[OPTION...]")
	if cmd.HasAvailableSubCommands() {
		args = "COMMAND [OPTION...] [ARG...]"
	}
	fmt.Fprintf(&b, ".B %s\n%s\n", roff(name), roff(args))
	section("DESCRIPTION")
	manText(&b, cmp.Or(cmd.Long, cmd.Short+"."))
	if cmd.HasAvailableSubCommands() {
		section("COMMANDS")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s.\n", roff(manName(sub)), roff(sub.Short))
			}
		}
	}
	section("OPTIONS")
	cmd.Flags().VisitAll(func(f *pflag.Flag) { manFlag(&b, f) })
	if cmd.Example != "" {
		section("EXAMPLES")
		fmt.Fprintf(&b, ".EX\n%s\n.EE\n", roff(cmd.Example))
	}
	section("EXIT STATUS")
	for _, s := range exitWords {
		if s.of != nil && cmd.HasParent() && !slices.Contains(s.of, cmd.Name()) {
			continue
		}
		fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", s.code, roff(s.words))
	}
	section("SEE ALSO")
	related := []string{".BR tcpdump (1)", ".BR tshark (1)", ".BR strace (1)", ".BR ss (8)"}
	if cmd.HasParent() {
		related = slices.Insert(related, 0, ".BR closecap (1)")
	}
	b.WriteString(strings.Join(related, ",\n") + "\n")
	return b.String()
}

// exitWords are the exit codes; trace passes on its program's beside them.
var exitWords = []struct {
	code  int
	words string
	of    []string // the commands, nil for all
}{
	{exitDone, "What was asked for was done, and is as expected.", nil},
	{exitFailed, "What was expected is not so: a script's expectation, a rule of check; diff found a change. Or a file was unreadable or damaged.", nil},
	{exitMisused, "The command line, a script or a file of rules can't be meant; diff could not compare.", nil},
	{exitUndecided, "Whether the rules hold could not be decided.", []string{"check"}},
	{exitTimeout, "A scenario took longer than --timeout.", []string{"run", "compare"}},
	{exitCannotRun, "The program can't be run.", []string{"trace"}},
	{exitNotFound, "There is no such program.", []string{"trace"}},
	{exitSignal + 2, "Ctrl-C (SIGINT) ended the work before its end; what was seen until then is shown.", nil},
	{exitSignal + 15, "SIGTERM did.", nil},
}

// manFlag writes an option as other programs' pages do: --width N, with its default behind.
func manFlag(b *strings.Builder, f *pflag.Flag) {
	value, usage := pflag.UnquoteUsage(f)
	names := `\-\-` + roff(f.Name)
	if f.Shorthand != "" {
		names = `\-` + f.Shorthand + ", " + names
	}
	b.WriteString(".TP\n.B " + names)
	if value != "" {
		b.WriteString(` \fI` + roff(value) + `\fR`)
	}
	b.WriteString("\n" + roff(usage))
	switch f.DefValue {
	case "", "0", "false", "[]", "0s":
	default:
		b.WriteString(" (default: " + roff(f.DefValue) + ")")
	}
	b.WriteString("\n")
}

// manText writes paragraphs; lines that are indented stay as they are.
func manText(b *strings.Builder, text string) {
	for i, paragraph := range strings.Split(text, "\n\n") {
		switch {
		case strings.HasPrefix(paragraph, "  "):
			fmt.Fprintf(b, ".PP\n.EX\n%s\n.EE\n", roff(paragraph))
			continue
		case i > 0:
			b.WriteString(".PP\n")
		}
		b.WriteString(roff(paragraph) + "\n")
	}
}

// roff escapes what man would take for its own: hyphens, backslashes, a dot or quote that
// begins a line.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
