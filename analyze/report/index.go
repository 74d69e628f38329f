package report

import (
	"fmt"
	"io"
	"strings"
)

// Entry is a line of an index: a name that a command takes, and what it stands for.
type Entry struct{ Name, About string }

// WriteIndex writes the names in one column and beside it what they stand for, folded to opt.Width.
func WriteIndex(w io.Writer, entries []Entry, opt Options) error {
	column := 0
	for _, e := range entries {
		column = max(column, textWidth(e.Name)+2)
	}
	for _, e := range entries {
		line := e.Name + strings.Repeat(" ", column-textWidth(e.Name)) + e.About
		if _, err := fmt.Fprintln(w, strings.Join(wrapText(line, opt.Width, column), "\n")); err != nil {
			return err
		}
	}
	return nil
}
