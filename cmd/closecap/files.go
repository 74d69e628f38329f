package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/closecap/closecap/capture/pcapfile"
)

// files returns the captures that args and --files-from name, and what to call them together: by their paths, and
// in few words.
func (f *input) files(args []string, stdin io.Reader) (files []string, source, title string, err error) {
	named := args
	if f.filesFrom == "-" && slices.Contains(args, "-") {
		return nil, "", "", misused("--files-from -: standard input can be read only once")
	}
	if f.filesFrom != "" {
		listed, err := readList(f.filesFrom, stdin)
		if err != nil {
			return nil, "", "", err
		}
		args = append(args, f.filesFrom)
		named = append(named[:len(named):len(named)], listed...)
	}
	if files, err = pcapfile.Files(named); err != nil {
		return nil, "", "", err
	}
	// What was found may be gone when its turn comes: then the others are worth the reading.
	f.found = !slices.Equal(files, args)
	return files, sourceOf(args, len(files)), titleOf(args, len(files)), nil
}

func readList(name string, stdin io.Reader) (paths []string, err error) {
	var b []byte
	if name == "-" {
		b, err = io.ReadAll(stdin)
	} else {
		b, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("read list of files: %w", err)
	}
	if paths = pcapfile.List(b); len(paths) == 0 {
		return nil, fmt.Errorf("read list of files %s: it names none", name)
	}
	return paths, nil
}

// sourceOf names n files that args stand for.
func sourceOf(args []string, n int) string {
	const few = 8
	switch {
	case len(args) > few:
		return fmt.Sprintf("%s ... %s (%d files)", args[0], args[len(args)-1], n)
	case n != len(args):
		return fmt.Sprintf("%s (%d files)", strings.Join(args, " "), n)
	}
	return strings.Join(args, " ")
}

// titleOf is sourceOf in few words: without the folders.
func titleOf(args []string, n int) string {
	var names []string
	for _, arg := range args {
		if name := filepath.Base(arg); arg != "-" {
			names = append(names, name)
		} else {
			names = append(names, "standard input")
		}
	}
	if n != len(args) {
		return fmt.Sprintf("%s (%d files)", few(names), n)
	}
	return few(names)
}

// few writes names, of many the first.
func few(names []string) string {
	const most = 3
	if more := len(names) - most; more > 1 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// troubles are what went wrong with the input. Thousands of damaged files are as bad as some.
type troubles struct {
	first []error
	more  int
}

func (t *troubles) add(err error) {
	const most = 20
	if len(t.first) == most {
		t.more++
		return
	}
	t.first = append(t.first, err)
}

// err returns them as one, nil when there are none.
func (t *troubles) err() error {
	if t.more > 0 {
		return errors.Join(append(t.first, fmt.Errorf("%d more errors like these", t.more))...)
	}
	return errors.Join(t.first...)
}
