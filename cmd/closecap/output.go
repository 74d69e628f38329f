package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/closecap/closecap/analyze/report"
)

// output is how a command shows its result.
type output struct {
	format  string
	outFile string
	width   int
	color   string
	ladder  bool
	html    string
}

// flags adds the flags that every showing command has.
func (o *output) flags(f *pflag.FlagSet) {
	f.StringVar(&o.format, "format", "table", report.Or(report.Formats()))
	jsonFlag(f, &o.format)
	o.textFlags(f)
}

// textFlags adds the flags of the commands that show text alone.
func (o *output) textFlags(f *pflag.FlagSet) {
	outputFlag(f, &o.outFile, "write the report to this `file` (default: standard output)")
	f.IntVar(&o.width, "width", 0, "columns to fit the text into (default: the terminal's, or $COLUMNS; in a file or pipe as many as it takes)")
	f.StringVar(&o.color, "color", "auto", "auto, always or never; NO_COLOR is respected")
}

// outputFlag adds -o, for which "-" is standard output.
func outputFlag(f *pflag.FlagSet, file *string, usage string) {
	f.FuncP("output", "o", usage, func(name string) error {
		*file = name
		if name == "-" {
			*file = ""
		}
		return nil
	})
}

// fileFlag adds a flag for a file beside the report, which has standard output.
func fileFlag(f *pflag.FlagSet, name string, file *string, usage string) {
	f.Func(name, usage, func(s string) error {
		if s == "-" {
			return errors.New("want a file: /dev/stdout is standard output")
		}
		*file = s
		return nil
	})
}

// allFlags adds also the flags of the commands that can draw.
func (o *output) allFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	o.flags(f)
	f.BoolVar(&o.ladder, "ladder", false, "draw a sequence diagram instead of the table (--format ladder)")
	o.pageFlag(f)
	completeFormats(cmd, report.Formats())
}

// jsonFlag adds --json, which is --format json.
func jsonFlag(f *pflag.FlagSet, format *string) {
	f.BoolFunc("json", "the same as --format json", func(string) error {
		*format = string(report.JSON)
		return nil
	})
}

func (o *output) pageFlag(f *pflag.FlagSet) {
	fileFlag(f, "html", &o.html, "also write a page for the browser to this `file`: table, pictures, everything in it")
}

// completeFormats completes --format with what cmd can write.
func completeFormats(cmd *cobra.Command, formats []report.Format) {
	words := make([]cobra.Completion, len(formats))
	for i, f := range formats {
		words[i] = cobra.CompletionWithDesc(string(f), f.About())
	}
	completeFlag(cmd, "format", words)
	completeFlag(cmd, "color", []cobra.Completion{"auto", "always", "never"})
}

// check returns the format, or says what is wrong with the flags.
func (o *output) check() (report.Format, error) {
	format, err := report.ParseFormat(o.format)
	if err != nil {
		return "", usageError{err}
	}
	if o.ladder {
		if format != report.Table && format != report.Ladder {
			return "", misused("--ladder and --format %s: want one of them", format)
		}
		format = report.Ladder
	}
	switch o.color {
	case "auto", "always", "never":
	default:
		return "", misused("unknown --color %q: want auto, always or never", o.color)
	}
	if o.width < 0 {
		return "", misused("--width %d: want a number of columns", o.width)
	}
	return format, nil
}

// options says what w can show. Box drawing needs a terminal or an explicit --color=always:
// a pipe gets ASCII that any program reads.
func (o *output) options(std streams) report.Options {
	w := std.out
	if o.outFile != "" {
		w = io.Discard
	}
	columns, terminal := isTerminal(w)
	opt := report.Options{
		Width: o.width,
		Color: o.color == "always" || o.color == "auto" && terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		Box:   terminal || o.color == "always",
	}
	if opt.Width == 0 {
		opt.Width = columns
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); opt.Width == 0 && err == nil && n > 0 {
		opt.Width = n
	}
	if terminal {
		opt.Zone = time.Local
	}
	opt.TooNarrow = func(columns int) {
		if std.narrow != nil {
			std.narrow.Do(func() {
				fmt.Fprintf(std.err, "closecap: warning: %d columns are too few: words break in less than %d\n", opt.Width, columns)
			})
		}
	}
	return opt
}

func terminalWidth(fd int) (columns int, ok bool) {
	if !term.IsTerminal(fd) {
		return 0, false
	}
	columns, _, err := term.GetSize(fd)
	if err != nil {
		return 0, true
	}
	return columns, true
}

// buffered gives write a buffer over standard output, on a terminal one that fills a pager. One that was
// quit is no error: the result is known.
func buffered(std streams, write func(io.Writer) error) error {
	w, end := paged(std)
	b := bufio.NewWriterSize(w, 64<<10)
	err := write(b)
	if err == nil {
		err = writeFailed(b.Flush())
	}
	if errors.Is(err, errPagerLeft) {
		err = nil
	}
	return errors.Join(err, writeFailed(end()))
}

// report writes to the file that -o names, or else to standard output.
func (o *output) report(std streams, write func(io.Writer) error) error {
	return writeReport(o.outFile, std, write)
}

// writeReport writes to a file, or else to standard output.
func writeReport(file string, std streams, write func(io.Writer) error) error {
	if file == "" {
		return buffered(std, write)
	}
	if err := replace(file, write); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func writeFailed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write output: %w", err)
}
