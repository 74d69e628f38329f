package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/pcapfile"
)

// save writes rec as a pcapng. A file of that name is replaced only by a whole one.
func save(path string, rec *event.Recording, res *analyze.Result) error {
	about := pcapfile.Interface{Name: rec.Run.Source, Filter: "tcp"}
	if len(rec.Packets) > 0 {
		about.LinkType = rec.Packets[0].LinkType
	}
	roots := report.Comments(res)
	err := replace(path, func(w io.Writer) error {
		return pcapfile.WriteRecording(w, rec, about, func(frame uint64) string { return roots[frame] }, verdict(res))
	})
	if err != nil {
		return fmt.Errorf("save recording: %w", err)
	}
	return nil
}

// replace writes a new file beside path and puts it in its place when it is complete: until then,
// and when that fails, what was there stays. What is no regular file, as a pipe or a device, is
// written as it is.
//
// The new file has the mode of the one that it replaces, else what the umask leaves of 0666. It is
// made, given its mode and renamed in the directory as it was opened, whatever its name comes to
// mean meanwhile; a symbolic link is replaced, not followed. A file that this user may not write
// is not replaced either, though the directory would allow it.
func replace(path string, write func(io.Writer) error) error {
	old, err := os.OpenFile(path, os.O_WRONLY, 0)
	var was fs.FileInfo
	switch {
	case err == nil:
		if was, err = old.Stat(); err == nil && !was.Mode().IsRegular() {
			return finish(old, write)
		}
		old.Close()
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return blame(path, err)
	}
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return blame(path, err)
	}
	defer dir.Close()
	return blame(path, replaceIn(dir, filepath.Base(path), was, write))
}

// ready reports what keeps files from being replaced, where that shows already: it is asked before a program
// runs, whose report would be lost. Files that are not named, "", need nothing.
func ready(paths ...string) error {
	for _, path := range paths {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			continue // a pipe opens when it has a reader
		}
		if err := tryReplace(path); err != nil {
			return fmt.Errorf("write %s: %w", path, cause(err))
		}
	}
	return nil
}

// tryReplace makes the file beside path that replace would, and takes it away again.
func tryReplace(path string) error {
	old, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		err = old.Close()
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return err
	}
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	temporary := "." + filepath.Base(path) + "." + rand.Text()
	f, err := dir.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), dir.Remove(temporary))
}

// cause is an error of the system without the path that it repeats.
func cause(err error) error {
	if bad := (*fs.PathError)(nil); errors.As(err, &bad) {
		return bad.Err
	}
	return err
}

// replaceIn does it in an open directory. was is the file to be replaced, nil for none.
func replaceIn(dir *os.Root, name string, was fs.FileInfo, write func(io.Writer) error) error {
	permissions := fs.FileMode(0o666)
	if was != nil {
		permissions = 0o600 // until it has the other's
	}
	temporary := "." + name + "." + rand.Text()
	f, err := dir.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, permissions)
	if err != nil {
		return err
	}
	if was != nil {
		err = f.Chmod(modeLike(f, was))
	}
	if err = errors.Join(err, finish(f, write)); err == nil {
		err = dir.Rename(temporary, name)
	}
	if err != nil {
		// What failed is told; a file that is left over says so itself.
		_ = dir.Remove(temporary)
	}
	return err
}

// blame names the file that was asked for where the error names the one beside it, or the directory.
func blame(path string, err error) error {
	if bad := (*fs.PathError)(nil); errors.As(err, &bad) {
		return &fs.PathError{Op: bad.Op, Path: path, Err: bad.Err}
	}
	if bad := (*os.LinkError)(nil); errors.As(err, &bad) {
		return &fs.PathError{Op: bad.Op, Path: path, Err: bad.Err}
	}
	return err
}

// finish writes and closes f.
func finish(f *os.File, write func(io.Writer) error) error {
	b := bufio.NewWriter(f)
	err := write(b)
	if err == nil {
		err = b.Flush()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// verdict is the run in words, a line a connection.
func verdict(res *analyze.Result) string { return strings.Join(report.Verdicts(res), "\n") }
