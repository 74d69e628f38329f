//go:build linux || darwin

package intake

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/closecap/closecap/capture/pcapfile"
)

// besideFIFO is a timeline of three segments and a FIFO without a writer. Its first stalled
// batch tells that the FIFO is being opened.
func besideFIFO(t *testing.T) (r *pcapfile.Reader, path string) {
	path = filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := pcapfile.Open([]string{"-", path}, bytes.NewReader(repeated(3)), pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r, path
}

func writer(t *testing.T, path string) *os.File {
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// A FIFO that nobody opens for writing must not hold up whoever wants to stop.
func TestBatchesStopWhileFIFOHasNoWriter(t *testing.T) {
	r, path := besideFIFO(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for b, err := range Batches(ctx, r, Options{}) {
		if last = err; err == nil && b.Stalled {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the last error is %v, want context.Canceled", last)
	}
	writer(t, path) // lets the open go
}

func TestBatchesStopWhileFIFOIsSilent(t *testing.T) {
	r, path := besideFIFO(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	stalls := 0
	for b, err := range Batches(ctx, r, Options{}) {
		if last = err; err != nil || !b.Stalled {
			continue
		}
		if stalls++; stalls == 2 {
			cancel()
			continue
		}
		if _, err := writer(t, path).Write(repeated(2)); err != nil {
			t.Fatal(err)
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the last error is %v, want context.Canceled", last)
	}
}

func TestFIFOWhoseWriterComesLate(t *testing.T) {
	r, path := besideFIFO(t)
	n, opened := 0, false
	for b, err := range Batches(t.Context(), r, Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		n += len(b.Segments)
		if b.Stalled && !opened {
			opened = true
			w := writer(t, path)
			if _, err := w.Write(repeated(2)); err != nil {
				t.Fatal(err)
			}
			w.Close()
		}
	}
	if !opened || n != 5 {
		t.Errorf("%d segments, the writer came late: %v; want 5, true", n, opened)
	}
}
