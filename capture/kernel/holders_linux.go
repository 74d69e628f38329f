package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
)

// Holders returns the descriptors of other processes that refer to the socket with this inode,
// in the order of process and descriptor. Processes that ended meanwhile or that this one may
// not look into are passed over.
func Holders(inode uint64) ([]event.Holder, error) {
	pids, err := processes()
	if err != nil {
		return nil, err
	}
	var found []event.Holder
	for _, pid := range pids {
		if pid == os.Getpid() {
			continue
		}
		err := eachSocket(pid, func(fd int, link uint64) {
			if link == inode {
				found = append(found, event.Holder{PID: pid, FD: fd})
			}
		})
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
	}
	return found, nil
}

// FindHolders fills in who holds each of the sockets, in the order of process and descriptor, in
// one pass over all processes. It returns how many processes it was not allowed to look into.
func FindHolders(sockets []event.Socket) (refused int, err error) {
	at := make(map[uint64]int, len(sockets))
	for i := range sockets {
		if sockets[i].Inode != 0 {
			at[sockets[i].Inode] = i
		}
	}
	pids, err := processes()
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		comm := ""
		err := eachSocket(pid, func(fd int, inode uint64) {
			i, wanted := at[inode]
			if !wanted {
				return
			}
			if comm == "" {
				comm = commOf(pid)
			}
			sockets[i].Holders = append(sockets[i].Holders, event.SocketHolder{PID: pid, FD: fd, Comm: comm})
		})
		switch {
		case errors.Is(err, fs.ErrPermission):
			refused++
		case err != nil:
			return refused, err
		}
	}
	return refused, nil
}

// commOf returns the name that the kernel has for a process, "" when it ended.
func commOf(pid int) string {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}

func processes() ([]int, error) {
	names, err := readDir("/proc")
	if err != nil {
		return nil, hint.With(fmt.Errorf("list processes: %w", err), "is /proc mounted?")
	}
	return numbers(names), nil
}

// eachSocket calls each for the descriptors of pid that are sockets, in order, with their inodes.
// A process that ended has none; one that this process may not look into is fs.ErrPermission.
func eachSocket(pid int, each func(fd int, inode uint64)) error {
	dir, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	if err != nil {
		if noProcess(err) {
			return nil
		}
		return fmt.Errorf("list descriptors: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil && !noProcess(err) {
		return fmt.Errorf("list descriptors: %w", err)
	}
	var link [64]byte
	for _, fd := range numbers(names) {
		n, err := unix.Readlinkat(int(dir.Fd()), strconv.Itoa(fd), link[:])
		if err == unix.EACCES || err == unix.EPERM {
			return fmt.Errorf("read descriptor: %w", err)
		}
		if err != nil { // closed meanwhile
			continue
		}
		if text, ok := bytes.CutPrefix(link[:n], []byte("socket:[")); ok {
			if inode, err := strconv.ParseUint(string(bytes.TrimSuffix(text, []byte("]"))), 10, 64); err == nil {
				each(fd, inode)
			}
		}
	}
	return nil
}

func readDir(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func noProcess(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) }

// numbers returns the names that are numbers, in order.
func numbers(names []string) []int {
	var ns []int
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			ns = append(ns, n)
		}
	}
	slices.Sort(ns)
	return ns
}
