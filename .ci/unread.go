//go:build ignore

// unread runs a command, the tests, and names the files of testdata and pcaps that it did not open:
// what nothing reads proves nothing. It watches with inotify, so what tests' own programs read counts,
// and no test has to declare what it reads. A test that is skipped, or whose result is cached, reads
// nothing.
//
//	unread COMMAND [ARG...]
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// watcher notes which files below some directories are opened.
type watcher struct {
	inotify *os.File
	dirs    map[int32]string

	mu     sync.Mutex
	unread map[string]bool
	lost   bool // the kernel's queue ran over
}

func main() {
	w, err := watch()
	if err != nil {
		fmt.Fprintf(os.Stderr, "unread: %v\n", err)
		os.Exit(1)
	}
	done := make(chan struct{})
	go func() { defer close(done); w.read() }()
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			fmt.Fprintf(os.Stderr, "unread: %v\n", err)
		}
		os.Exit(1)
	}
	w.inotify.Close()
	<-done
	os.Exit(w.report())
}

// watch begins to watch every directory of test data. Files that are compiled in are left out.
func watch() (*watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch test data: %w", os.NewSyscallError("inotify_init1", err))
	}
	w := &watcher{inotify: os.NewFile(uintptr(fd), "inotify"), dirs: map[int32]string{}, unread: map[string]bool{}}
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch inside := strings.Contains(path+"/", "/testdata/") || strings.HasPrefix(path, "pcaps"); {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin" || d.Name() == "dist"):
			return fs.SkipDir
		case !inside, filepath.Ext(path) == ".go", filepath.Ext(path) == ".pcapng":
		case d.IsDir():
			wd, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN)
			if err != nil {
				return fmt.Errorf("watch %s: %w", path, os.NewSyscallError("inotify_add_watch", err))
			}
			w.dirs[int32(wd)] = path
		default:
			w.unread[path] = true
		}
		return nil
	})
	if err == nil && len(w.unread) == 0 {
		err = errors.New("there is no test data here")
	}
	return w, err
}

// read takes events until the watcher is closed.
func (w *watcher) read() {
	buffer := make([]byte, 1<<16)
	for {
		n, err := w.inotify.Read(buffer)
		if err != nil {
			return
		}
		for b := buffer[:n]; len(b) >= unix.SizeofInotifyEvent; {
			wd, mask := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
			end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
			name := string(bytes.TrimRight(b[unix.SizeofInotifyEvent:end], "\x00"))
			w.mu.Lock()
			delete(w.unread, filepath.Join(w.dirs[wd], name))
			w.lost = w.lost || mask&unix.IN_Q_OVERFLOW != 0
			w.mu.Unlock()
			b = b[end:]
		}
	}
}

// report names what was not read.
func (w *watcher) report() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost {
		fmt.Fprintln(os.Stderr, "unread: the kernel's queue ran over (fs.inotify.max_queued_events): what was read is not known")
		return 1
	}
	if len(w.unread) == 0 {
		return 0
	}
	names := make([]string, 0, len(w.unread))
	for name := range w.unread {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Fprintf(os.Stderr, "no test read:\n  %s\n", strings.Join(names, "\n  "))
	return 1
}
