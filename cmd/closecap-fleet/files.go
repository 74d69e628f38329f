package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"

	"github.com/closecap/closecap/capture/pcapfile"
)

// remote reports whether a name is an address, as s3://bucket/key.
func remote(name string) bool { return strings.Contains(name, "://") }

// captures is files that are read as one timeline.
type captures struct {
	*pcapfile.Reader
	done []func()
	dir  string            // where copies of remote files are
	of   map[string]string // the remote file that a copy is of
}

// openCaptures opens files. Of remote ones a single is read as it comes; several, which are read by turns, are copied
// to this machine first.
func openCaptures(ctx context.Context, paths []string) (*captures, error) {
	c := &captures{}
	var err error
	switch {
	case !remote(paths[0]):
		c.Reader, err = pcapfile.Open(paths, nil, pcapfile.Options{Absent: true})
	case len(paths) == 1:
		var in io.ReadCloser
		if in, err = c.open(ctx, paths[0]); err == nil {
			c.Reader = pcapfile.NewReader(in, paths[0], pcapfile.Options{})
		}
	default:
		var copies []string
		if copies, err = c.copies(ctx, paths); err == nil {
			c.Reader, err = pcapfile.Open(copies, nil, pcapfile.Options{})
		}
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *captures) open(ctx context.Context, name string) (io.ReadCloser, error) {
	fs, err := filesystem.New(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	c.done = append(c.done, func() { fs.Close() })
	in, err := fs.OpenRead(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	c.done = append(c.done, func() { in.Close() })
	return in, nil
}

func (c *captures) copies(ctx context.Context, names []string) (copies []string, err error) {
	if c.dir, err = os.MkdirTemp("", "closecap-fleet-"); err != nil {
		return nil, fmt.Errorf("copy captures: %w", err)
	}
	c.done = append(c.done, func() { os.RemoveAll(c.dir) })
	c.of = map[string]string{}
	for i, name := range names {
		in, err := c.open(ctx, name)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(c.dir, fmt.Sprintf("%06d-%s", i, path.Base(name)))
		if err := writeFile(file, in); err != nil {
			return nil, fmt.Errorf("copy %s: %w", name, err)
		}
		copies = append(copies, file)
		c.of[file] = name
	}
	return copies, nil
}

func writeFile(name string, in io.Reader) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func (c *captures) close() {
	if c.Reader != nil {
		c.Reader.Close()
	}
	for i := len(c.done) - 1; i >= 0; i-- {
		c.done[i]()
	}
}

// readAll reads a small file.
func readAll(ctx context.Context, name string) ([]byte, error) {
	fs, err := filesystem.New(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer fs.Close()
	b, err := filesystem.Read(ctx, fs, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b, nil
}

// writeWhole writes a file that appears when it is complete, under its name: what is written again says the same.
func writeWhole(ctx context.Context, name string, write func(io.Writer) error) (err error) {
	dir := ""
	if !remote(name) {
		dir = filepath.Dir(name)
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	file, err := os.CreateTemp(dir, ".closecap-fleet-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer os.Remove(file.Name()) // not there any more when all went well
	if err := errors.Join(write(file), file.Chmod(0o644), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if remote(name) {
		return upload(ctx, name, file.Name())
	}
	if err := os.Rename(file.Name(), name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func upload(ctx context.Context, name, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer in.Close()
	fs, err := filesystem.New(ctx, name)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer fs.Close()
	out, err := fs.OpenWrite(ctx, name)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
