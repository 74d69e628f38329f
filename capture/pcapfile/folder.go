package pcapfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/closecap/closecap/capture/hint"
)

// inFolder is what captures are called in a folder: a.pcap, b.pcapng.gz, and tcpdump's c.pcap07.
const inFolder = "*.pcap*"

// Files returns paths with each folder replaced by the captures in it, in the order of their names: regular
// files called *.pcap*, not those of folders below. What is no folder stays as it is, also where there
// is nothing of that name.
func Files(paths []string) (files []string, err error) {
	for _, path := range paths {
		if info, err := os.Stat(path); path == "-" || err != nil || !info.IsDir() {
			files = append(files, path)
			continue
		}
		found, err := folder(path)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}

func folder(path string) (files []string, err error) {
	all, err := os.ReadDir(path) // sorted
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, cause(err))
	}
	for _, entry := range all {
		if match, _ := filepath.Match(inFolder, entry.Name()); !match { // the pattern is a good one
			continue
		}
		file := filepath.Join(path, entry.Name())
		if !entry.Type().IsRegular() { // a link to one will do
			if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
				continue
			}
		}
		files = append(files, file)
	}
	if files == nil {
		return nil, hint.With(fmt.Errorf("read %s: no file in it is called %s", path, inFolder), "name the files")
	}
	return files, nil
}

// List reads a list of paths: one a line, or, as find -print0 writes them, each with a NUL behind it.
func List(b []byte) (paths []string) {
	end := []byte("\n")
	if bytes.IndexByte(b, 0) >= 0 {
		end = []byte{0}
	}
	for path := range bytes.SplitSeq(b, end) {
		if len(path) > 0 {
			paths = append(paths, string(path))
		}
	}
	return paths
}
