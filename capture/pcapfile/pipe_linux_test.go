package pcapfile

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWiden asks the kernel how much a pipe holds that was widened; of a file nothing is asked.
func TestWiden(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	widen(r)
	if size, err := unix.FcntlInt(w.Fd(), unix.F_GETPIPE_SZ, 0); err != nil || size != widePipe {
		t.Errorf("the pipe holds %d bytes (%v), want %d", size, err, widePipe)
	}
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	widen(file)
}
