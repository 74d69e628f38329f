package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/closecap/closecap/analyze/report"
)

// picking are the flags that findings give themselves, and shown those that say how the report looks.
var (
	picking = []string{"finding", "cause", "closer", "closed", "said", "host", "port"}
	shown   = []string{"format", "json", "output", "html", "summary", "brief", "ids", "sort", "width", "color", "ascii", "ladder", "no-pager", "words", "no-payload"}
)

// fewFiles is up to how many files a command names all of.
const fewFiles = 4

// again returns the command that reads what cmd reads, to which flags that pick connections can be added; "" where
// it reads standard input, which is gone then. "..." stands for the rest of many files: each finding has a command.
func again(cmd *cobra.Command, args []string) string {
	words := strings.Fields(cmd.CommandPath())
	for i, arg := range args {
		if i > 0 && len(args) > fewFiles {
			words = append(words, "...")
			break
		}
		words = append(words, report.ShellQuote(arg))
	}
	gone := slices.Contains(args, "-")
	cmd.Flags().Visit(func(fl *pflag.Flag) {
		if slices.Contains(picking, fl.Name) || slices.Contains(shown, fl.Name) {
			return
		}
		gone = gone || fl.Name == "files-from" && fl.Value.String() == "-"
		values := []string{fl.Value.String()}
		if s, ok := fl.Value.(pflag.SliceValue); ok {
			values = s.GetSlice()
		}
		for _, v := range values {
			words = append(words, "--"+fl.Name)
			if fl.NoOptDefVal == "" {
				words = append(words, report.ShellQuote(v))
			}
		}
	})
	if gone {
		return ""
	}
	return strings.Join(words, " ")
}
