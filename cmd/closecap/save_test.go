//go:build unix

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func writing(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

// holds fails the test unless dir holds that file, of that mode, and nothing else.
func holds(t *testing.T, dir, name, text string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	info, statErr := os.Lstat(path)
	if err := errors.Join(err, statErr); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if string(b) != text || info.Mode() != mode || len(entries) != 1 {
		t.Errorf("%s holds %q, mode %v, beside %v, %v, want %q, %v, alone", path, b, info.Mode(), entries, err, text, mode)
	}
}

// TestReplaceMode keeps the mode of what was there, and takes the umask's for what was not.
func TestReplaceMode(t *testing.T) {
	for _, tt := range []struct {
		umask     int
		was, want os.FileMode // 0: nothing was there
	}{
		{0o022, 0, 0o644}, {0o077, 0, 0o600}, {0o027, 0, 0o640}, {0o002, 0, 0o664},
		{0o022, 0o600, 0o600}, {0o022, 0o640, 0o640}, {0o022, 0o666, 0o666}, {0o077, 0o644, 0o644},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "file")
		if tt.was != 0 {
			if err := errors.Join(os.WriteFile(path, []byte("old"), 0o600), os.Chmod(path, tt.was)); err != nil {
				t.Fatal(err)
			}
		}
		old := syscall.Umask(tt.umask)
		err := replace(path, writing("new"))
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		holds(t, dir, "file", "new", tt.want)
	}
}

// TestReplaceFails leaves what was there, or nothing.
func TestReplaceFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	bad := errors.New("half-way")
	failing := func(w io.Writer) error { return errors.Join(writing("half")(w), bad) }
	if err := replace(path, failing); !errors.Is(err, bad) {
		t.Errorf("replace = %v, want %v", err, bad)
	}
	if entries, err := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left %v, %v, want nothing", entries, err)
	}
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := replace(path, failing); !errors.Is(err, bad) {
		t.Errorf("replace = %v, want %v", err, bad)
	}
	holds(t, dir, "file", "old", 0o640)
	if err := replace(dir, writing("new")); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("replace of a directory = %v, want %v", err, syscall.EISDIR)
	}
}

// TestReplaceLink replaces a symbolic link: what it pointed to may be anybody's.
func TestReplaceLink(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	target := filepath.Join(elsewhere, "target")
	if err := errors.Join(os.WriteFile(target, []byte("kept"), 0o600), os.Symlink(target, filepath.Join(dir, "file"))); err != nil {
		t.Fatal(err)
	}
	if err := replace(filepath.Join(dir, "file"), writing("new")); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, "file", "new", 0o600)
	holds(t, elsewhere, "target", "kept", 0o600)
}

// TestReplaceMovedDirectory puts another directory in the place of the one that is written to: all
// stays in the one that was opened.
func TestReplaceMovedDirectory(t *testing.T) {
	top, victim := t.TempDir(), t.TempDir()
	dir, moved := filepath.Join(top, "dir"), filepath.Join(top, "moved")
	secret := filepath.Join(victim, "file")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "file"), []byte("old"), 0o666),
		os.Chmod(filepath.Join(dir, "file"), 0o666), os.WriteFile(secret, []byte("kept"), 0o600)); err != nil {
		t.Fatal(err)
	}
	err := replace(filepath.Join(dir, "file"), func(w io.Writer) error {
		entries, err := os.ReadDir(dir)
		for _, e := range entries { // under every name that is about to be used lies the secret
			if e.Name() != "file" {
				err = errors.Join(err, os.Link(secret, filepath.Join(victim, e.Name())))
			}
		}
		return errors.Join(err, os.Rename(dir, moved), os.Symlink(victim, dir), writing("new")(w))
	})
	if err != nil {
		t.Fatal(err)
	}
	holds(t, moved, "file", "new", 0o666)
	info, err := os.Stat(secret)
	b, readErr := os.ReadFile(secret)
	if err := errors.Join(err, readErr); err != nil || info.Mode() != 0o600 || string(b) != "kept" {
		t.Errorf("the other directory's file is now %q, %v, %v", b, info.Mode(), err)
	}
}

// TestReplaceDevice writes to what is no regular file as it is.
func TestReplaceDevice(t *testing.T) {
	if err := replace("/dev/null", writing("new")); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Errorf("/dev/null is now %v, %v", info, err)
	}
	if err := replace("/dev/full", writing("new")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("replace of /dev/full = %v, want %v", err, syscall.ENOSPC)
	}
}
