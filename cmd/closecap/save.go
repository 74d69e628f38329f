package main

import (
	"bufio"
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

// replace writes a new file beside path and puts it in its place when it is complete. What
// is no regular file, as a pipe or a device, is written as it is.
func replace(path string, write func(io.Writer) error) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return finish(f, write)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return blame(path, err)
	}
	err = finish(f, write)
	if err == nil {
		err = os.Chmod(f.Name(), permissions(info))
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return blame(path, err)
	}
	return nil
}

// blame names the file that was asked for where the error names the one beside it.
func blame(path string, err error) error {
	if bad := (*fs.PathError)(nil); errors.As(err, &bad) {
		return &fs.PathError{Op: bad.Op, Path: path, Err: bad.Err}
	}
	return err
}

// permissions are those of the file replaced, or of a new one under the usual umask.
func permissions(info fs.FileInfo) fs.FileMode {
	if info != nil {
		return info.Mode().Perm()
	}
	return 0o644
}

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
func verdict(res *analyze.Result) string {
	var lines []string
	for _, c := range res.Connections {
		lines = append(lines, report.Verdict(res, c))
	}
	return strings.Join(lines, "\n")
}
