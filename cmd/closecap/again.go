package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/pcapfile"
)

// picking are the flags that findings give themselves, and shown those that say how the report looks.
var (
	picking = []string{"finding", "cause", "closer", "closed", "said", "host", "port"}
	shown   = []string{"format", "json", "output", "html", "summary", "brief", "ids", "sort", "width", "color", "ascii", "ladder", "no-pager", "words", "no-payload"}
)

// fewFiles is up to how many files a command names all of.
const fewFiles = 4

// again returns the command that reads what cmd reads, to which flags that pick connections can be added; "" where
// it reads standard input, which is gone then. Many files are named by their folder, and where there are others in it "..."
// stands for all but the first: each finding has a command.
func again(cmd *cobra.Command, args []string) string {
	words := strings.Fields(cmd.CommandPath())
	gone := slices.Contains(args, "-")
	switch {
	case len(args) <= fewFiles:
		for _, arg := range args {
			words = append(words, report.ShellQuote(arg))
		}
	case areFolder(args):
		words = append(words, report.ShellQuote(filepath.Dir(args[0])))
	default:
		words = append(words, report.ShellQuote(args[0]), "...")
	}
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

// areFolder reports whether files are all captures of one folder.
func areFolder(files []string) bool {
	all, err := pcapfile.Files([]string{filepath.Dir(files[0])})
	if err != nil || len(all) != len(files) {
		return false
	}
	named := make([]string, len(files))
	for i, file := range files {
		named[i] = filepath.Clean(file)
	}
	slices.Sort(named)
	return slices.Equal(named, all)
}
