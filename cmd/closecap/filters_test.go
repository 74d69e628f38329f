package main

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/report"
)

// TestWordsComplete asks for completions as the shells' scripts do.
func TestWordsComplete(t *testing.T) {
	var formats []string
	for _, f := range report.Formats() {
		formats = append(formats, string(f))
	}
	for flag, want := range map[string][]string{
		"--ending": analyze.Names(analyze.EndingCodes()),
		"--cause":  analyze.Names(analyze.CauseCodes()),
		"--closer": {"client", "server", "both"},
		"--sort":   analyze.OrderNames(),
		"--format": formats,
	} {
		var out, msg strings.Builder
		if code := run(t.Context(), []string{"__complete", "analyze", flag, ""}, streams{out: &out, err: &msg}); code != exitDone {
			t.Fatalf("%s: exit %d: %s", flag, code, msg.String())
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if last := lines[len(lines)-1]; last != ":4" { // no file names
			t.Errorf("%s: directive %s, want :4", flag, last)
		}
		var got []string
		for _, line := range lines[:len(lines)-1] {
			word, meaning, _ := strings.Cut(line, "\t")
			if flag != "--sort" && meaning == "" {
				t.Errorf("%s: %s has no meaning beside it", flag, word)
			}
			got = append(got, word)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s completes to %q, want %q", flag, got, want)
		}
	}
}

func TestUnknownWordsNameTheNearest(t *testing.T) {
	for _, tt := range []struct{ flag, word, want string }{
		{"--ending", "gracefull", `unknown --ending "gracefull": did you mean "graceful"?`},
		{"--cause", "unread-dat", `unknown --cause "unread-dat": did you mean "unread-data"?`},
		{"--closer", "x-y", `unknown --closer "x-y" (known: client, server, both)`},
		{"--sort", "byte", `unknown --sort "byte": did you mean "bytes"?`},
		{"--format", "md", `unknown format "md": did you mean "markdown"?`},
	} {
		var out, msg strings.Builder
		code := run(t.Context(), []string{"analyze", "--sample", "close", tt.flag, tt.word}, streams{out: &out, err: &msg})
		if code != exitMisused || !strings.Contains(msg.String(), tt.want) {
			t.Errorf("%s %s: exit %d: %s, want %d: %s", tt.flag, tt.word, code, msg.String(), exitMisused, tt.want)
		}
	}
}
